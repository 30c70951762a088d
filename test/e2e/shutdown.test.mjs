// SIGTERM: nothing that was taken is dropped, and the clients find the other pod by themselves. Contract 7.8.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { libs } from './harness/clients.mjs';
import { file, png } from './harness/fixtures.mjs';
import { multipart, rawPost } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { assertClean, useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 1, env: { SHUTDOWN_TIMEOUT: '8s' } });

test('SIGTERM under load: readiness red, the running upload finished, clients moved, presence clean, exit 0', { timeout: 50_000 }, async () => {
  const staying = w.pods[0];
  const going = await w.pod({ READY_DELAY: '3s' });
  const port = (pod) => Number(new URL(pod.url).port);
  // A load balancer that prefers the pod that will go.
  const balancer = await w.gate([{ port: port(going) }, { port: port(staying) }]);
  const toGoing = { url: `http://127.0.0.1:${balancer.port}`, reconnectionDelay: 100 };

  const alice = objectId();
  const users = Array.from({ length: 12 }, objectId);
  const chatId = await w.chat(alice, ...users);
  const clients = [];
  for (const [i, u] of users.entries()) {
    balancer.turn = 0; // each starts on the pod that will go
    clients.push(await w.connect(going, u, { ...toGoing, lib: libs[i % 3] }));
  }
  const firstIds = clients.map((c) => c.id);
  for (const [i, u] of users.entries()) await w.present(u, firstIds[i]);

  // An upload of which one half is there.
  const body = multipart([{ name: 'chatId', value: chatId }, { name: 'textMessage', value: 'in flight' }, { name: 'files', file: file('a.png', 'image/png', png(300_000)) }]);
  const { req, answer } = rawPost(going, token(alice), { length: body.length });
  req.write(body.subarray(0, 150_000));
  await waitFor(() => w.files().length > 0, 5_000, 'the first half to arrive');

  const began = performance.now();
  going.program.signal('SIGTERM');
  await waitFor(async () => (await fetch(`${going.url}/readyz`).catch(() => ({ status: 'refused' }))).status !== 200, 3_000, 'readyz red');
  balancer.targets.shift(); // what a load balancer does about it
  setTimeout(() => req.end(body.subarray(150_000)), 300);
  const res = await answer;
  assert.equal(res.status, 201, res.body);
  assert.equal(res.json.messages.length, 2);

  for (const c of clients) await waitFor(() => c.connects === 2 && c.socket.connected, 10_000, () => `to move: ${JSON.stringify(c.disconnects)}`);
  const end = await going.program.exited;
  assert.deepEqual([end.code, end.signal], [0, null], going.program.tail(20));
  assert.ok(performance.now() - began < 10_000);
  assertClean(going.program);

  for (const [i, u] of users.entries()) {
    await w.present(u, clients[i].id);
    assert.notEqual(clients[i].id, firstIds[i]);
    assert.equal(clients[i].disconnects.length, 1);
  }
  // Nothing was lost on the way: what was in flight came, live or sent again, once.
  for (const m of res.json.messages) for (const c of clients) await c.has(m._id);
  await w.settle(staying, alice, chatId, ...clients);
  for (const c of clients) assert.equal(c.messages.length, 3, JSON.stringify(c.messages));
  assert.deepEqual((await w.stored(chatId)).map((m) => m.type), ['image', 'text', 'text']);
});

test('SIGTERM with nobody there is quick; long-polling clients do not hold it up', { timeout: 30_000 }, async () => {
  const empty = await w.pod();
  let began = performance.now();
  let end = await empty.program.stop();
  assert.deepEqual([end.code, end.forced], [0, false]);
  assert.ok(performance.now() - began < 6_000, `${performance.now() - began} ms`);

  const polled = await w.pod();
  const users = Array.from({ length: 5 }, objectId);
  const clients = await Promise.all(users.map((u) => w.connect(polled, u, { transports: ['polling'], reconnection: false })));
  began = performance.now();
  end = await polled.program.stop();
  assert.deepEqual([end.code, end.forced], [0, false]);
  assert.ok(performance.now() - began < 9_000, `${performance.now() - began} ms`);
  for (const u of users) assert.equal(await w.redis.exists(`user:${u}:sockets`), 0, 'presence is cleaned by the pod that goes');
  await waitFor(() => clients.every((c) => c.disconnects.length === 1), 5_000, 'the clients to notice');
});

test('SIGTERM while MongoDB stands still: what would be noted of those who leave is not waited for, exit 0 in time', { timeout: 30_000 }, async () => {
  const going = await w.pod({ SHUTDOWN_TIMEOUT: '4s' });
  const users = Array.from({ length: 6 }, objectId);
  const clients = await Promise.all(users.map((u, i) => w.connect(going, u, { lib: libs[i % 3], reconnection: false })));
  w.mongod.program.signal('SIGSTOP');
  try {
    const began = performance.now();
    going.program.signal('SIGTERM');
    const end = await going.program.exited;
    assert.deepEqual([end.code, end.signal], [0, null], going.program.tail(20));
    assert.ok(performance.now() - began < 6_000, `${performance.now() - began} ms`); // closing may take 2 s more
  } finally { w.mongod.program.signal('SIGCONT'); }
  await waitFor(() => clients.every((c) => c.disconnects.length === 1), 5_000, 'the clients to notice');
  for (const u of users) assert.equal(await w.redis.exists(`user:${u}:sockets`), 0, 'presence is cleaned all the same');
  w.pods.splice(w.pods.indexOf(going), 1);
});

test('posts that stream while a pod goes: each 201 is stored and delivered, each refusal is retriable', { timeout: 40_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const going = await w.pod();
  const b = await w.connect(w.pods[0], bob);
  const taken = [];
  const statuses = new Set();
  let over = false;
  const stream = async () => {
    while (!over) {
      const res = await w.say(going, alice, chatId, 'x').catch((err) => ({ status: err.cause?.code ?? err.name }));
      statuses.add(res.status);
      if (res.status === 201) taken.push(res.json.messages[0]._id);
      else if (typeof res.status !== 'number') over = true;
    }
  };
  const streams = [stream(), stream(), stream()];
  await waitFor(() => taken.length > 20, 10_000, 'posts to flow');
  const end = await going.program.stop();
  over = true;
  await Promise.all(streams);
  assert.equal(end.code, 0);
  for (const s of statuses) assert.ok([201, 503, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(s), String(s));
  const stored = (await w.stored(chatId)).map((m) => m._id.toString());
  for (const id of taken) {
    assert.ok(stored.includes(id), 'answered with 201 and not stored');
    await b.has(id);
  }
  assert.equal(new Set(b.ids()).size, b.ids().length);
  assert.ok(b.ids().every((id) => stored.includes(id)), 'emitted and not stored');
});

test('SIGTERM with uploads that do not end: told to try again, and exit 0 in time', { timeout: 30_000 }, async () => {
  const going = await w.pod({ SHUTDOWN_TIMEOUT: '4s' });
  const alice = objectId();
  const chatId = await w.chat(alice, objectId());
  const [stored, files] = [await w.Message.countDocuments(), w.files()];
  const body = multipart([{ name: 'chatId', value: chatId }, { name: 'textMessage', value: 'x' }, { name: 'files', file: file('a.png', 'image/png', png(300_000)) }]);
  const { req, answer } = rawPost(going, token(alice), { length: body.length });
  req.write(body.subarray(0, 150_000));
  await waitFor(() => w.files().length > files.length, 5_000, 'the first half to arrive');
  const began = performance.now();
  going.program.signal('SIGTERM');
  const res = await answer;
  assert.deepEqual([res.status, res.code, res.headers['retry-after']], [503, 'shutting_down', '1'], res.body);
  const end = await going.program.exited;
  assert.deepEqual([end.code, end.signal], [0, null], going.program.tail(20));
  assert.ok(performance.now() - began < 6_000);
  assert.equal(await w.Message.countDocuments(), stored);
  assert.deepEqual(w.files(), files);
});

// What it can take back nowhere, the other pods do when its lease has ended.
for (const [what, away] of Object.entries({
  gone: (gate) => gate.shut(),
  silent: (gate, mute) => {
    gate.targets = [mute.address()];
    gate.freeze();
  },
})) {
  test(`SIGTERM while Redis is ${what}: exit 0 in time`, { timeout: 60_000 }, async (t) => {
    const mute = net.createServer(() => {}).listen(0, '127.0.0.1');
    t.after(() => mute.close());
    await once(mute, 'listening');
    const gate = await w.gate([{ port: w.redisServer.port }]);
    const going = await w.pod({ REDIS_URL: `redis://127.0.0.1:${gate.port}`, REDIS_TIMEOUT: '500ms', SHUTDOWN_TIMEOUT: '6s', PRESENCE_TTL: '6s' });
    const [alice, bob] = [objectId(), objectId()];
    const chatId = await w.chat(alice, bob);
    const a = await w.connect(w.pods[0], alice);
    const b = await w.connect(going, bob, { reconnection: false });
    await w.present(bob, b.id);
    await away(gate, mute);
    await waitFor(async () => (await fetch(`${going.url}/readyz`)).status === 503, 15_000, 'the pod to notice');
    await w.said(going, bob, chatId, 'while Redis is away');
    const began = performance.now();
    going.program.signal('SIGTERM');
    const end = await going.program.exited;
    assert.deepEqual([end.code, end.signal], [0, null], going.program.tail(20));
    assert.ok(performance.now() - began < 7_000, `${performance.now() - began} ms`);
    assertClean(going.program);
    await w.present(bob);
    assert.equal((await a.saw('user_offline')).userId, bob);
  });
}
