// Redis or MongoDB stand still while clients connect: nobody is told no, nobody is left behind, nothing comes
// twice. Contract 3 and 7.7. ALL_STALLS=1 runs the long ones, too.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { libs } from './harness/clients.mjs';
import { api } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { rawSocket } from './harness/raw.mjs';
import { ms } from './harness/settings.mjs';
import { token } from './harness/token.mjs';
import { sleep, waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const sioc25 = createRequire(import.meta.url)('sioc25');
const w = useWorld({ pods: 1, env: { REDIS_TIMEOUT: ms(500), ALLOW_EIO3: true, PRESENCE_TTL: ms(5000) } });
const stock = { reconnectionDelay: 1000, reconnectionDelayMax: 5000 }; // as a frontend that sets nothing
const kinds = [...libs.flatMap((lib) => [{ lib, transports: ['websocket'] }, { lib, transports: ['polling'] }]), { lib: 'sioc48', transports: ['polling', 'websocket'] }];

const stop = (program) => async (time) => {
  program().signal('SIGSTOP');
  await sleep(time);
  program().signal('SIGCONT');
};
const stalls = {
  'Redis paused': async (time) => {
    await w.redis.call('CLIENT', 'PAUSE', time, 'ALL');
    await sleep(time);
  },
  'Redis stopped': stop(() => w.redisServer.program),
  'MongoDB stopped': stop(() => w.mongod.program),
};
const cases = [['Redis paused', 2000], ['Redis stopped', 7000], ['MongoDB stopped', 7000]];
if (process.env.ALL_STALLS) cases.push(['Redis paused', 500], ['Redis paused', 1500], ['Redis paused', 5000], ['Redis paused', 20_000], ['MongoDB stopped', 1000], ['MongoDB stopped', 3000], ['MongoDB stopped', 15_000], ['MongoDB stopped', 30_000]);

// A client of 2.x, which has its token in the query and no onAny.
function old(user) {
  const c = { connects: 0, errors: [], messages: [] };
  c.socket = sioc25(w.pods[0].url, { query: { token: token(user) }, transports: ['websocket'], forceNew: true, ...stock });
  for (const name of ['error', 'connect_error']) c.socket.on(name, (err) => c.errors.push(err));
  c.socket.on('connect', () => c.connects++);
  c.socket.on('new_message', (m) => c.messages.push(m));
  return c;
}

const waiting = async () => (await api(w.pods[0], 'GET', '/readyz')).json.sockets.waiting;

for (const [what, time] of cases) {
  test(`${what} for ${time} ms: who connects or comes back meanwhile gets in by itself, and gets each message once`, { timeout: time + 60_000 }, async (t) => {
    const sender = objectId();
    const users = Array.from({ length: kinds.length * 3 + 1 }, objectId);
    const chatId = await w.chat(sender, ...users);
    const client = (i) => w.client(w.pods[0], users[i], { ...stock, ...kinds[i % kinds.length] });
    const back = await Promise.all(kinds.map((_, i) => client(i).connected()));
    const seen = await w.said(w.pods[0], sender, chatId, 'before');
    for (const c of back) await c.has(seen._id);
    const firstIds = back.map((c) => c.id);

    const over = stalls[what](time);
    const fresh = kinds.map((_, i) => client(kinds.length + i));
    for (const c of back) c.drop();
    const gone = kinds.map((_, i) => client(2 * kinds.length + i)); // who gives up while it waits
    const last = old(users.at(-1));
    t.after(() => last.socket.close());
    let most = 0;
    if (time > 1000) {
      await waitFor(async () => (most = Math.max(most, await waiting())) >= kinds.length, time, () => `clients to wait; ${most} did`);
      await sleep(Math.max(0, time - 6000));
    }
    for (const c of gone) c.close();
    // While Redis is away messages are stored all the same.
    const meanwhile = what.startsWith('Redis') ? await w.said(w.pods[0], sender, chatId, 'meanwhile') : undefined;
    await over;

    const all = [...back, ...fresh];
    await waitFor(() => [...all, last].every((c) => c.socket.connected), 45_000, () => `all to be in: ${JSON.stringify(all.filter((c) => !c.socket.connected).map((c) => [c.disconnects, c.errors.map((e) => e.data ?? e.message)]))}`);
    const m = await w.said(w.pods[0], sender, chatId, 'after');
    for (const [i, c] of all.entries()) {
      assert.deepEqual(c.errors.map((e) => e.data ?? e.message), [], `client ${i}`);
      await w.present(users[i], c.id);
      await c.has(m._id);
      const want = ['before', ...(meanwhile ? ['meanwhile'] : []), 'after'];
      // Clients before 4.6 cannot say what they had; what they may be sent again, so soon after they first came,
      // README says.
      const { lib } = kinds[i % kinds.length];
      const texts = lib === 'sioc48' || i >= back.length ? c.texts() : c.texts().filter((text, n, all) => text !== 'before' || all.indexOf(text) === n);
      assert.deepEqual(texts, want, `client ${i}, ${JSON.stringify(kinds[i % kinds.length])}`);
      if (i < back.length) assert.notEqual(c.id, firstIds[i]);
    }
    await waitFor(() => last.messages.some((x) => x._id === m._id), 5_000, 'the message at the 2.x client');
    assert.deepEqual(last.errors, []);
    for (let i = 2 * kinds.length; i < 3 * kinds.length; i++) await w.present(users[i]);
    await waitFor(async () => await waiting() === 0, 5_000, 'nobody at the door');
  });
}

test('metrics say who waits and what for', { timeout: 30_000 }, async () => {
  const sample = async (pattern) => (await (await fetch(`${w.pods[0].url}/metrics`)).text()).split('\n').filter((l) => pattern.test(l)).reduce((n, l) => n + Number(l.slice(l.lastIndexOf(' '))), 0);
  const before = [await sample(/^parley_connect_retries_total\{reason="redis"\}/), await sample(/^parley_sockets_cut_total\{reason="unavailable"\}/)];
  const hasty = await w.pod({ CONNECT_TIMEOUT: ms(2500) });
  const [url, own] = [w.pods[0].url, w.pods[0]];
  w.redisServer.program.signal('SIGSTOP');
  try {
    const s = await rawSocket(hasty);
    const began = performance.now();
    s.send(`40${JSON.stringify({ token: token(objectId()) })}`);
    const c = w.client(own, objectId());
    await waitFor(async () => await sample(/^parley_sockets_waiting /) === 1, 5_000, 'one to wait');
    await waitFor(async () => await sample(/^parley_connect_retries_total\{reason="redis"\}/) > before[0], 5_000, 'a try to fail');
    await waitFor(() => s.closed, 6_000, 'the end of patience');
    assert.ok(performance.now() - began > 2000);
    assert.deepEqual(s.received, [], 'it was told something');
    assert.match(await (await fetch(`${hasty.url}/metrics`)).text(), /^parley_sockets_cut_total\{reason="unavailable"\} 1$/m);
    assert.equal(await sample(/^parley_sockets_cut_total\{reason="unavailable"\}/), before[1]);
    c.close();
  } finally { w.redisServer.program.signal('SIGCONT'); }
  assert.ok(url);
  await waitFor(async () => (await api(hasty, 'GET', '/readyz')).status === 200, 10_000, 'ready again');
  w.pods.splice(w.pods.indexOf(hasty), 1);
  assert.equal((await hasty.program.stop()).code, 0);
});

test('a pod that drains tells nobody no, and goes though many wait at its door', { timeout: 60_000 }, async () => {
  const going = await w.pod({ DRAIN_BATCH: 1, DRAIN_PAUSE: ms(100), SHUTDOWN_TIMEOUT: ms(12_000) });
  const port = (pod) => Number(new URL(pod.url).port);
  const balancer = await w.gate([{ port: port(going) }]);
  const url = `http://127.0.0.1:${balancer.port}`;
  const sender = objectId();
  const users = Array.from({ length: 40 }, objectId);
  const chatId = await w.chat(sender, ...users);
  const client = (user, i, more = {}) => w.client(going, user, { ...stock, url, lib: libs[i % 3], ...more });
  const clients = [];
  for (const [i, u] of users.slice(0, 20).entries()) {
    clients.push(await client(u, i).connected());
  }
  const early = await rawSocket(going);
  w.mongod.program.signal('SIGSTOP');
  let end;
  try {
    for (const [i, u] of users.slice(20, 30).entries()) clients.push(client(u, i));
    await waitFor(async () => (await api(going, 'GET', '/readyz')).json.sockets.waiting === 10, 10_000, 'ten to wait');
    const began = performance.now();
    going.program.signal('SIGTERM');
    await waitFor(async () => (await api(going, 'GET', '/readyz')).json.checks.pods !== 'ok', 5_000, 'it to drain');
    early.send(`40${JSON.stringify({ token: token(users[0]) })}`);
    for (const [i, u] of users.slice(30).entries()) clients.push(client(u, i));
    await waitFor(() => early.closed, 5_000, 'the early connection to end');
    assert.deepEqual(early.received, []);
    balancer.targets = [{ host: '127.0.0.1', port: port(w.pods[0]) }]; // what a load balancer does about it
    end = await going.program.exited;
    assert.ok(performance.now() - began < 14_000, `${performance.now() - began} ms`);
  } finally { w.mongod.program.signal('SIGCONT'); }
  assert.deepEqual([end.code, end.signal], [0, null], going.program.tail(20));
  w.pods.splice(w.pods.indexOf(going), 1);
  await waitFor(() => clients.every((c) => c.socket.connected), 30_000, () => `all to move: ${JSON.stringify(clients.filter((c) => !c.socket.connected).map((c) => [c.disconnects, c.errors.map((e) => e.data ?? e.message)]))}`);
  for (const c of clients) assert.ok(c.errors.every((e) => e.data === undefined), JSON.stringify(c.errors.map((e) => e.data)));
  const m = await w.said(w.pods[0], sender, chatId, 'after');
  for (const [i, c] of clients.entries()) {
    await c.has(m._id);
    await w.present(users[i], c.id);
    assert.equal(c.messages.length, 1);
  }
});
