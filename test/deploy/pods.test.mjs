// Two real pods behind each balancer, stock clients in front: stickiness, transports, uploads, a pod that goes.
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import http from 'node:http';
import { describe, test } from 'node:test';
import { png } from '../e2e/harness/fixtures.mjs';
import { metric, multipart, post, rawPost } from '../e2e/harness/http.mjs';
import { objectId } from '../e2e/harness/models.mjs';
import { token } from '../e2e/harness/token.mjs';
import { sleep, waitFor } from '../e2e/harness/wait.mjs';
import { useWorld } from '../e2e/harness/world.mjs';
import { balancers, startNginx } from './balancers.mjs';

const w = useWorld({ pods: 2, env: { TRUSTED_PROXIES: '127.0.0.1', SHUTDOWN_TIMEOUT: '15s' } });
const staying = () => w.pods.slice(0, 2); // the others have come to go
const port = (pod) => Number(new URL(pod.url).port);

// A client at an address of its own, as behind one NAT each. Linux answers on all of 127.0.0.0/8.
const at = (n) => ({ agent: new http.Agent({ localAddress: `127.0.1.${n}`, keepAlive: true }) });

// The library's own: the harness's clients come back sooner, for the tests that count on it.
const stockDelays = { reconnectionDelay: 1_000, reconnectionDelayMax: 5_000 };

async function behind(start, pods, options, fn) {
  const lb = await start(pods.map(port), options);
  try { await fn(lb); } finally { await lb.stop(); }
}

// Every session's requests, by the pods that got them.
function sessions(lb) {
  const all = new Map();
  for (const r of lb.requests()) if (r.sid) all.set(r.sid, (all.get(r.sid) ?? new Set()).add(r.to));
  return all;
}

// Each client has each message once, nobody was cut, every session stayed on one pod, and both pods were used.
async function flows(lb, clients, users, chatId, count) {
  const sent = [];
  for (let i = 0; i < count; i++) {
    const res = await post(lb.url, token(users[i % users.length]), { chatId, text: `m${i}` });
    assert.equal(res.status, 201, res.body);
    sent.push(res.json.messages[0]._id);
  }
  for (const c of clients) await c.got(count);
  for (const c of clients) {
    assert.deepEqual([...c.ids()].sort(), [...sent].sort());
    assert.deepEqual([c.connects, c.disconnects, c.errors], [1, [], []]);
  }
}

function sticky(lb, clients) {
  const all = sessions(lb);
  assert.ok(all.size >= clients, `${all.size} sessions`);
  for (const [sid, to] of all) assert.equal(to.size, 1, `session ${sid} went to ${[...to]}`);
  assert.equal(new Set([...all.values()].flatMap((to) => [...to])).size, 2, 'both pods have clients');
}

for (const { name, start, skip } of balancers) {
  describe(name, { skip }, () => {
    for (const [how, transports] of [['polling', ['polling']], ['websocket', ['websocket']], ['the default', ['polling', 'websocket']]]) {
      test(`${how}: each client stays on its pod and gets every message once`, { timeout: 60_000 }, async () => {
        await behind(start, staying(), {}, async (lb) => {
          const users = Array.from({ length: 12 }, objectId);
          const chatId = await w.chat(...users);
          const clients = users.map((u, i) => w.client(lb, u, { transports, ...at(i + 10) }));
          await Promise.all(clients.map((c) => c.connected(20_000)));
          if (how === 'the default') for (const c of clients) await waitFor(() => c.transport === 'websocket', 15_000, 'the upgrade');
          await flows(lb, clients, users, chatId, 20);
          if (how !== 'websocket') sticky(lb, clients.length);
        });
      });
    }

    test('20 MiB stream through: the pod has the beginning while the client still holds the end', { timeout: 60_000 }, async () => {
      await behind(start, staying(), {}, async (lb) => {
        const alice = objectId();
        const chatId = await w.chat(alice, objectId());
        const picture = png(20 << 20);
        const body = multipart([{ name: 'chatId', value: chatId }, { name: 'type', value: 'image' }, { name: 'files', file: { name: 'big.png', type: 'image/png', data: picture } }]);
        const before = new Set(w.files());
        const { req, answer } = rawPost(lb, token(alice), { length: body.length });
        req.write(body.subarray(0, 12 << 20));
        const held = () => w.files().filter((f) => !before.has(f)).reduce((sum, f) => sum + size(f), 0);
        await waitFor(() => held() > 8 << 20, 20_000, () => `8 MiB to have come through: ${held()}`);
        req.end(body.subarray(12 << 20));
        const res = await answer;
        assert.equal(res.status, 201, res.body);
        const { fileUrl } = res.json.messages[0];
        const got = await fetch(new URL(fileUrl, lb.url));
        assert.equal(got.status, 200);
        assert.equal(sha(Buffer.from(await got.arrayBuffer())), sha(picture));
      });
    });

    test('an upload that is refused while it is being sent: the client sees why', { timeout: 60_000 }, async () => {
      await behind(start, staying(), {}, async (lb) => {
        const [alice, mallory] = [objectId(), objectId()];
        const chatId = await w.chat(alice, objectId());
        const body = multipart([{ name: 'chatId', value: chatId }, { name: 'files', file: { name: 'big.png', type: 'image/png', data: png(20 << 20) } }]);
        for (const [who, status] of [[token(mallory), 403], ['no.such.token', 401]]) {
          const { req, answer } = rawPost(lb, who, { length: body.length });
          req.end(body);
          assert.equal((await answer).status, status);
        }
      });
    });

    test('SIGTERM of one pod under steady posts: clients move, no post is lost or doubled', { timeout: 90_000 }, async (t) => {
      const going = await w.pod({ READY_DELAY: '1s', DRAIN_BATCH: 3, DRAIN_PAUSE: '100ms' });
      await behind(start, [going, w.pods[0]], {}, async (lb) => {
        const users = Array.from({ length: 12 }, objectId);
        const chatId = await w.chat(...users);
        const clients = users.map((u, i) => w.client(lb, u, { transports: [['polling'], ['websocket'], ['polling', 'websocket']][i % 3], ...stockDelays, ...at(i + 40) }));
        await Promise.all(clients.map((c) => c.connected(20_000)));

        const stored = new Map(); // text → _id
        const seen = {};
        const started = performance.now();
        let slowest = 0;
        let over = false;
        const poster = async (user, n) => {
          for (let i = 0; !over; i++) {
            const [text, key, began] = [`${n}-${i}`, randomUUID(), performance.now()];
            for (;;) {
              const res = await post(lb.url, token(user), { chatId, text, key }).catch((err) => ({ status: err.cause?.code ?? err.name }));
              seen[res.status] = (seen[res.status] ?? 0) + 1;
              if (res.status === 201) { stored.set(text, res.json.messages[0]._id); break; }
              assert.ok([502, 503, 'ECONNRESET', 'UND_ERR_SOCKET'].includes(res.status), `${res.status} ${res.body}`);
              assert.ok(performance.now() - began < 10_000, `a post was refused for 10 s: ${JSON.stringify(seen)}`);
              await sleep(50);
            }
            slowest = Math.max(slowest, performance.now() - began);
            await sleep(10);
          }
        };
        const posters = users.slice(0, 3).map(poster);
        posters.forEach((p) => p.catch(() => {}));
        await waitFor(() => stored.size >= 30, 15_000, 'posts to flow');
        const first = clients.map((c) => c.id);
        const onGoing = await metric(going, 'parley_sockets');
        assert.ok(onGoing > 0 && onGoing < clients.length, `${onGoing} clients on the pod that goes`);

        const sigterm = performance.now();
        const end = await going.program.stop(20_000);
        const took = performance.now() - sigterm;
        assert.deepEqual([end.code, end.forced], [0, false]);
        const have = stored.size;
        // A client may still think it is connected where its pod has closed; then its id is the old one.
        const moved = () => clients.filter((c, i) => c.id !== first[i]).length;
        await waitFor(() => clients.every((c) => c.socket.connected) && moved() >= onGoing, 15_000,
          () => `${onGoing} clients to move, all to be back: ${JSON.stringify(clients.map((c, i) => [c.socket.connected, c.id !== first[i], c.disconnects, c.errors.map(String)]))}`);
        await waitFor(() => stored.size >= have + 30, 15_000, 'posts to flow again');
        over = true;
        await Promise.all(posters);

        t.diagnostic(`${name}: ${stored.size} posts in ${Math.round(performance.now() - started)} ms, answers ${JSON.stringify(seen)}, slowest ${Math.round(slowest)} ms; ${moved()} of ${clients.length} clients moved; exit after ${Math.round(took)} ms`);
        for (const [i, u] of users.entries()) await w.present(u, clients[i].id);
        const inStore = await w.stored(chatId);
        assert.deepEqual(inStore.map((m) => m.textMessage).sort(), [...stored.keys()].sort(), 'each post is stored once');
        // And each message came to each client, once.
        const ids = [...stored.values()];
        const off = (c) => [ids.filter((id) => !c.ids().includes(id)).length, c.ids().length - new Set(c.ids()).size];
        await waitFor(() => clients.every((c) => off(c)[0] === 0), 5_000).catch(() => {});
        assert.deepEqual(clients.map(off), clients.map(() => [0, 0]), '[missed, doubled] of each client');
      });
    });
  });
}

test('nginx by cookie: clients of one address are spread, and stay', { skip: balancers[0].skip, timeout: 60_000 }, async () => {
  await behind(startNginx, staying(), { cookies: true }, async (lb) => {
    const users = Array.from({ length: 16 }, objectId);
    const chatId = await w.chat(...users);
    const clients = users.map((u) => w.client(lb, u, { transports: ['polling'], withCredentials: true }));
    await Promise.all(clients.map((c) => c.connected(20_000)));
    await flows(lb, clients, users, chatId, 10);
    sticky(lb, clients.length);
  });
});

test('HAProxy by session: clients of one address are spread, and stay, without cookies', { skip: balancers[1].skip, timeout: 60_000 }, async () => {
  await behind(balancers[1].start, staying(), {}, async (lb) => {
    const users = Array.from({ length: 16 }, objectId);
    const chatId = await w.chat(...users);
    const clients = users.map((u, i) => w.client(lb, u, { transports: i % 2 ? ['polling'] : ['polling', 'websocket'] }));
    await Promise.all(clients.map((c) => c.connected(20_000)));
    await flows(lb, clients, users, chatId, 10);
    sticky(lb, clients.length);
  });
});

// A file may be moved or removed between being listed and being looked at.
const size = (file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
const sha = (data) => createHash('sha256').update(data).digest('hex');
