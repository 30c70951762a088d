// A rolling migration: four Node pods become four Parley pods, one by one, behind nginx, while messages are
// posted all the time and thirty clients reconnect as stock clients do.
//
// What must hold is asserted, the rest is counted and printed. Why there is a rest:
//  - A Node pod keeps no books that survive it. What a client loses between two Node pods before the first
//    Parley pod is up is Node's loss. And Parley cannot know what a client was shown on Node. It looks who is
//    online there, but a connection may be dead for PING_INTERVAL + PING_TIMEOUT before its pod notices, so on
//    the first connect to Parley a client is sent again what was posted in that time before it left Node, and
//    that is longer than this test: "node then parley" below. census.test.mjs has shorter times.
//
// When a pod comes up, nginx moves long-polling sessions back to it. The pod that had the session sees silence
// and holds it for alive; that those clients, too, get each message once is the work of connection state recovery.
import { after, before, describe, test } from 'node:test';
import { closeClients } from '../e2e/harness/clients.mjs';
import { objectId } from '../e2e/harness/models.mjs';
import { token } from '../e2e/harness/token.mjs';
import { sleep, waitFor } from '../e2e/harness/wait.mjs';
import { quietPort } from '../e2e/harness/ports.mjs';
import { adapter, assert, Cluster, only, subjectIsNode } from './cluster.mjs';
import { clock, tally, Watcher } from './ledger.mjs';
import { nginxBin, startNginx } from './nginx.mjs';

const PODS = 4;
const USERS = 30;
const CHATS = 10; // six users in each, two chats for each user
const PAUSE = 200; // ms between two posts to one chat
const PER_STEP = 80; // messages that go through between two steps
const NEW = subjectIsNode ? 'new node' : 'parley';

describe(`four Node pods become four Parley pods (${adapter})`, { skip: only(nginxBin, 'nginx is not installed') }, () => {
  const w = new Cluster();
  let nginx;
  before(() => w.start({ node: false, subject: false, env: { REPLAY_LIMIT: 5000, RECOVERY_WINDOW: '2m' } }), { timeout: 60_000 });
  after(async () => {
    closeClients();
    await nginx?.program.stop(3_000);
    await w.close();
  }, { timeout: 60_000 });

  test('every message is stored once, and who is on Parley misses nothing', { timeout: 240_000 }, async (t) => {
    w.failed = true; // until the end is reached
    const began = clock();
    const ports = await Promise.all(Array.from({ length: PODS }, quietPort));
    const podsByInterval = new Map();
    const start = async (kind, i) => {
      const interval = (kind === 'node' ? 25_000 : 26_000) + i;
      // Parley's longer than the test: what it says above about the first connect holds however slow the machine is.
      const env = { PORT: ports[i], PING_INTERVAL: `${interval}ms`, PING_TIMEOUT: kind === 'node' ? '20s' : '300s' };
      const place = { kind, name: '?' }; // known before nginx sends anybody there
      podsByInterval.set(interval, place);
      const pod = kind === 'node' ? await w.peer(env) : await w.subjectPod(env);
      place.name = pod.name;
      return pod;
    };
    const old = await Promise.all(ports.map((_, i) => start('node', i)));
    await w.joined();
    nginx = await startNginx(w.dir, ports);

    // Users, chats, clients.
    const users = Array.from({ length: USERS }, objectId);
    const chats = await Promise.all(Array.from({ length: CHATS }, async (_, k) => {
      const members = Array.from({ length: 6 }, (_, j) => users[(3 * k + j) % USERS]);
      return { id: await w.chat(...members), members };
    }));
    const transports = (i) => (i % 6 === 4 ? ['polling'] : i % 6 === 5 ? ['polling', 'websocket'] : ['websocket']);
    const watchers = users.map((user, i) => new Watcher(nginx.url, { name: `client${i}`, user, token: token(user), transports: transports(i), pods: podsByInterval }));
    await Promise.all(watchers.map((x) => x.client.connected()));
    await waitFor(async () => {
      const sizes = await Promise.all(chats.map(async (c) => (await old[0].control('fetchSockets', { to: [c.id] })).length));
      return sizes.every((n) => n === 6);
    }, 15_000, 'everybody in their rooms');

    // Steady traffic: one writer for each chat, one post after the other.
    const accepted = [];
    const refused = [];
    let writing = true;
    t.after(() => { writing = false; });
    const write = async ({ id, members }) => {
      for (let n = 0; writing; n++) {
        const sender = members[n % members.length];
        const text = `${id} ${n}`;
        const from = clock();
        try {
          const res = await w.say({ url: nginx.url }, sender, id, text);
          if (res.status === 201) accepted.push({ id: res.json.messages[0]._id, chat: id, text, from, to: clock() });
          else refused.push({ text, from, why: `${res.status} ${res.code ?? ''}`.trim() });
        } catch (err) {
          refused.push({ text, from, why: err.cause?.code ?? err.name });
        }
        await sleep(PAUSE);
      }
    };
    const writers = chats.map(write);
    const through = async (n) => {
      const goal = accepted.length + n;
      await waitFor(() => accepted.length >= goal, 20_000, `${n} more messages`);
    };

    // The migration.
    await through(PER_STEP);
    const steps = [];
    let firstParley;
    for (let i = 0; i < PODS; i++) {
      const step = { pod: i, from: clock() };
      const end = await old[i].program.stop();
      assert.equal(end.code, 0);
      step.down = clock();
      await start(NEW, i);
      step.up = clock();
      firstParley ??= step.up;
      steps.push(step);
      await through(PER_STEP);
    }
    await waitFor(() => watchers.every((x) => x.client.socket.connected && x.stay.pod.kind === NEW), 20_000, () => `everybody on Parley: ${JSON.stringify(tally(watchers, (x) => `${x.stay.pod.kind} ${x.client.socket.connected}`))}`);
    const allOnParley = clock();
    await through(PER_STEP);
    writing = false;
    await Promise.all(writers);

    // One last message to each chat: behind it nothing is under way any more.
    for (const c of chats) {
      const from = clock();
      const m = await w.said({ url: nginx.url }, c.members[0], c.id, `${c.id} last`);
      accepted.push({ id: m._id, chat: c.id, text: `${c.id} last`, from, to: clock() });
      await Promise.all(watchers.filter((x) => c.members.includes(x.user)).map((x) => waitFor(() => x.receipts.has(m._id), 10_000, () => `the last message at ${x.name} (${x.transports})`)));
    }

    // What a pod sends to its own sockets may overtake what it still has to hear from Redis.
    const byChat = new Map(chats.map((c) => [c.id, watchers.filter((x) => c.members.includes(x.user))]));
    const all = () => accepted.every((m) => m.from <= firstParley || byChat.get(m.chat).every((x) => x.receipts.has(m.id)));
    if (!subjectIsNode) await waitFor(all, 10_000).catch(() => {}); // the books say what is missing

    // The books.
    const stored = tally(await w.Message.find({}).lean(), (m) => m.textMessage);
    const pairs = accepted.flatMap((m) => byChat.get(m.chat).map((x) => ({ m, x, receipts: x.receipts.get(m.id) ?? [] })));
    const missed = pairs.filter((p) => p.receipts.length === 0);
    const twice = pairs.filter((p) => p.receipts.length > 1);
    const late = pairs.filter((p) => p.receipts.length > 0 && !p.x.during(p.m.from, p.receipts[0].at));
    const kindOfPair = (p) => p.receipts.map((r) => r.stay.pod.kind).join(' then ');
    // A delivery may be held up for a while, and must not be counted as one that never came.
    const held = (p) => p.x.during(p.m.from, p.m.to + 3_000);
    const settled = pairs.filter((p) => held(p)?.pod.kind === NEW);
    const cut = settled.filter((p) => !p.receipts.some((r) => r.stay === held(p)));
    const repeated = settled.filter((p) => p.receipts.filter((r) => r.stay === held(p)).length > 1);
    const again = twice.filter((p) => p.receipts.slice(1).some((r, i) => r.stay.pod.kind === NEW && p.receipts[i].stay.pod.kind === NEW));

    const lost = missed.filter((p) => p.m.from > firstParley);

    const s = (ms) => `${(ms / 1000).toFixed(1)} s`;
    t.diagnostic(`${s(clock() - began)} in all; pods away: ${steps.map((x) => s(x.up - x.from)).join(', ')}`);
    t.diagnostic(`posts: ${accepted.length} answered 201, ${refused.length} not: ${JSON.stringify(tally(refused, (r) => r.why))}; of those not, ${refused.filter((r) => stored[r.text]).length} stored all the same`);
    t.diagnostic(`connects: ${watchers.reduce((n, x) => n + x.stays.length, 0)} by ${watchers.length} clients; left for ${JSON.stringify(tally(watchers.flatMap((x) => x.stays.filter((y) => y.reason)), (y) => `${y.pod.kind}: ${y.reason}`))}`);
    t.diagnostic(`deliveries due: ${pairs.length}; live ${pairs.length - late.length - missed.length}, after a reconnect ${late.length}, never ${missed.length}`);
    t.diagnostic(`never, where the client was: ${JSON.stringify(tally(missed, (p) => `${p.x.situation(p.m.from)}, ${p.m.from < firstParley ? 'before' : 'after'} the first Parley pod, ${p.x.transports.length > 1 ? 'upgrade' : p.x.transports[0]}`))}`);
    t.diagnostic(`more than once: ${twice.length}, by pods: ${JSON.stringify(tally(twice, kindOfPair))}`);
    t.diagnostic(`for each client, missed: ${watchers.map((x) => missed.filter((p) => p.x === x).length).join(' ')}`);
    t.diagnostic(`for each client, twice:  ${watchers.map((x) => twice.filter((p) => p.x === x).length).join(' ')}`);
    assert.ok(accepted.length >= PER_STEP * (PODS + 2), 'there was traffic');
    assert.deepEqual(Object.entries(stored).filter(([, n]) => n !== 1), [], 'nothing is stored twice');
    assert.deepEqual(accepted.filter((m) => stored[m.text] !== 1).map((m) => m.text), [], 'every 201 is stored');
    assert.deepEqual(refused.filter((r) => r.from > allOnParley), [], 'nothing is refused once the migration is over');
    if (subjectIsNode) return done(w); // a Node pod promises nothing of what follows
    assert.ok(settled.length > pairs.length / 4, `${settled.length} of ${pairs.length} deliveries were due to who stayed on Parley`);
    assert.equal(cut.length, 0, 'who is connected to Parley is sent everything');
    assert.equal(repeated.length, 0, 'and each message once');
    const who = (p) => `${p.x.name} (${p.x.transports}): ${p.x.situation(p.m.from)}, ${s(p.m.from - firstParley)} after the first Parley pod`;
    assert.deepEqual(lost.map(who), [], 'from the first Parley pod on nobody misses anything');
    assert.deepEqual(again.map(who), [], 'what Parley sent, Parley does not send again');
    done(w);
  });
});

function done(cluster) { cluster.failed = false; }
