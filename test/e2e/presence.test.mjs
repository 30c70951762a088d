// Who is online, where it is written down, and who is told. Contract 1.2, 1.5, 1.6 and 8.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libs, transportSets } from './harness/clients.mjs';
import { api } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { rawSocket } from './harness/raw.mjs';
import { ms } from './harness/settings.mjs';
import { token } from './harness/token.mjs';
import { sleep, waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
let impatient;
const w = useWorld({ pods: 2 }, async () => { impatient = await w.pod({ PING_INTERVAL: ms(400), PING_TIMEOUT: ms(4000) }); });

const online = (pod, asker, user) => api(pod, 'GET', `/api/users/${encodeURIComponent(user)}/online`, { token: token(asker) });
const about = (c, name, user) => c.named(name).filter((e) => e.userId === user);

test('the set holds the socket ids of every device on every pod, and the endpoint agrees', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  await w.chat(alice, bob);
  const never = await online(w.pods[0], alice, bob);
  assert.equal(never.status, 200, never.body);
  assert.deepEqual(never.json, { userId: bob, isOnline: false, sockets: 0, lastSeen: null });

  const devices = [];
  for (const [i, transports] of [transportSets.websocket, transportSets.polling, transportSets.upgrade].entries()) {
    devices.push(await w.connect(w.pods[i % 2], bob, { lib: libs[i], transports }));
    await w.present(bob, ...devices.map((c) => c.id));
    for (const pod of w.pods) {
      const { json } = await online(pod, alice, bob);
      assert.deepEqual([json.userId, json.isOnline, json.sockets], [bob, true, i + 1]);
    }
  }
  assert.equal(await w.redis.type(`user:${bob}:sockets`), 'set');
  assert.equal(await w.redis.scard(`user:${bob}:sockets`), 3);

  const before = Date.now();
  while (devices.length) {
    devices.pop().close();
    await w.present(bob, ...devices.map((c) => c.id));
    assert.equal((await online(w.pods[0], alice, bob)).json.isOnline, devices.length > 0);
  }
  assert.equal(await w.redis.exists(`user:${bob}:sockets`), 0);
  const gone = await waitFor(async () => { const r = await online(w.pods[1], alice, bob); return r.json.lastSeen && r.json; }, 3_000, 'lastSeen');
  assert.deepEqual([gone.isOnline, gone.sockets], [false, 0]);
  assert.match(gone.lastSeen, isoDate);
  assert.ok(Date.parse(gone.lastSeen) >= before - 1000 && Date.parse(gone.lastSeen) <= Date.now() + 1000, gone.lastSeen);
});

test('presence is for people who share a chat', { timeout: 10_000 }, async () => {
  const [alice, bob, eve] = [objectId(), objectId(), objectId()];
  await w.chat(alice, bob);
  await w.connect(w.pods[0], bob);
  assert.equal((await online(w.pods[0], alice, bob)).status, 200);
  const foreign = await online(w.pods[0], eve, bob);
  assert.ok([403, 404].includes(foreign.status), foreign.body);
  const nobody = await online(w.pods[0], eve, objectId());
  assert.deepEqual([nobody.status, nobody.code], [foreign.status, foreign.code], 'a stranger cannot tell a user from none');
});

test('user_online and user_offline: once, on the first and the last device, to those who share a chat and only them', { timeout: 30_000 }, async () => {
  const [alice, bob, carol, eve] = [objectId(), objectId(), objectId(), objectId()];
  // alice and bob share two chats: still one event.
  const chatId = await w.chat(alice, bob);
  await w.chat(alice, bob, carol);
  const apart = await w.chat(alice, eve);
  const friends = [await w.connect(w.pods[0], alice), await w.connect(w.pods[1], alice), await w.connect(w.pods[1], carol)];
  const stranger = await w.connect(w.pods[0], eve);

  const first = await w.connect(w.pods[0], bob);
  for (const c of friends) assert.deepEqual(await c.saw('user_online', (e) => e.userId === bob), { userId: bob });
  const second = await w.connect(w.pods[1], bob, { transports: ['polling'] });
  first.close();
  await w.present(bob, second.id);
  // What had been sent by now would be here before these messages.
  await w.settle(w.pods[0], alice, chatId, friends[0], friends[1]);
  await w.settle(w.pods[1], alice, chatId, friends[0], friends[1]);
  for (const c of friends) {
    assert.equal(about(c, 'user_online', bob).length, 1);
    assert.equal(about(c, 'user_offline', bob).length, 0, 'offline with a device left');
  }
  const before = Date.now();
  second.close();
  for (const c of friends) {
    const off = await c.saw('user_offline', (e) => e.userId === bob);
    assert.deepEqual(Object.keys(off).sort(), ['lastSeen', 'userId']);
    assert.match(off.lastSeen, isoDate);
    assert.ok(Math.abs(Date.parse(off.lastSeen) - before) < 5_000);
  }
  await w.settle(w.pods[0], alice, chatId, friends[0], friends[1]);
  await w.settle(w.pods[1], alice, chatId, friends[0], friends[1]);
  await w.settle(w.pods[0], alice, apart, stranger);
  await w.settle(w.pods[1], alice, apart, stranger);
  for (const c of friends) {
    assert.equal(about(c, 'user_online', bob).length, 1);
    assert.equal(about(c, 'user_offline', bob).length, 1);
  }
  assert.deepEqual([...about(stranger, 'user_online', bob), ...about(stranger, 'user_offline', bob)], []);
});

test('a close clears the set within milliseconds, however it comes', { timeout: 30_000 }, async () => {
  const closings = {
    'disconnect()': (c) => c.socket.disconnect(),
    'the transport closed': (c) => c.drop(),
    'the TCP connection reset': (c) => c.ws.terminate(),
    'CONNECT packet 41': (c) => c.send('41'),
  };
  const fastest = {}; // what must not be waited for, a ping or a sweep, makes each of them slow
  for (const [name, end] of Object.entries(closings)) {
    for (let round = 0; round < 5; round++) {
      const me = objectId();
      let c;
      if (name.includes('TCP') || name.includes('41')) {
        c = await rawSocket(w.pods[round % 2]);
        c.send(`40${JSON.stringify({ token: token(me) })}`);
        const { sid } = JSON.parse((await c.next((p) => p.startsWith('40'))).slice(2));
        await w.present(me, sid);
      } else {
        c = await w.connect(w.pods[round % 2], me, { reconnection: false, transports: round % 2 ? ['polling'] : ['websocket'] });
        await w.present(me, c.id);
      }
      const start = performance.now();
      end(c);
      await waitFor(async () => (await w.redis.exists(`user:${me}:sockets`)) === 0, 10_000, `${name}: the set to go`);
      fastest[name] = Math.min(fastest[name] ?? Infinity, performance.now() - start);
      c.close();
    }
  }
  for (const [name, took] of Object.entries(fastest)) assert.ok(took < 500, `${name} took ${took} ms`);
});

test('a client that stops answering pings is gone after interval and timeout, and announced', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  await w.chat(alice, bob);
  const a = await w.connect(w.pods[0], alice);
  const start = Date.now();
  const dead = await rawSocket(impatient, { answerPings: false });
  assert.deepEqual([dead.open.pingInterval, dead.open.pingTimeout], [400, 4000]);
  dead.send(`40${JSON.stringify({ token: token(bob) })}`);
  const { sid } = JSON.parse((await dead.next((p) => p.startsWith('40'))).slice(2));
  await w.present(bob, sid);
  await a.saw('user_online', (e) => e.userId === bob);
  await a.saw('user_offline', (e) => e.userId === bob, 15_000);
  const took = Date.now() - start;
  assert.ok(took >= 4_400 && took < 9_000, `after ${took} ms`);
  await w.present(bob);
  await waitFor(() => dead.closed, 2_000, 'the transport to be closed');
  assert.ok(dead.received.includes('2'), 'it was pinged');
});

test('clients that do answer stay, over every transport and version', { timeout: 30_000 }, async () => {
  const me = objectId();
  const clients = await Promise.all(libs.flatMap((lib) => Object.values(transportSets).map((transports) => w.connect(impatient, me, { lib, transports }))));
  const pings = clients.map(() => 0);
  clients.forEach((c, i) => c.socket.io.engine.on('pong', () => pings[i]++));
  // Longer than an interval and a timeout, in which each was asked and answered again and again.
  await Promise.all([sleep(5_000), waitFor(() => pings.every((n) => n >= 6), 15_000, () => `six pings each: ${pings}`)]);
  await w.present(me, ...clients.map((c) => c.id));
  for (const c of clients) assert.deepEqual([c.connects, c.disconnects], [1, []]);
});

test('coming and going quickly on two pods ends in the truth', { timeout: 40_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const a = await w.connect(w.pods[0], alice);
  const last = () => a.events.filter(([name, e]) => /^user_/.test(name) && e.userId === bob).at(-1)?.[0];
  for (let round = 0; round < 20; round++) {
    const [x, y] = await Promise.all([w.connect(w.pods[0], bob), w.connect(w.pods[1], bob)]);
    x.close();
    const z = await w.connect(w.pods[1], bob);
    y.close();
    z.close();
  }
  await w.present(bob);
  await waitFor(() => last() === 'user_offline', 5_000, () => JSON.stringify(a.events.slice(-4)));
  const there = await w.connect(w.pods[1], bob);
  await waitFor(() => last() === 'user_online', 5_000, 'online at last');
  await w.settle(w.pods[1], alice, chatId, a);
  assert.equal(last(), 'user_online');
  await w.present(bob, there.id);
});

test('what else is in that Redis is left alone', { timeout: 10_000 }, async () => {
  await w.redis.set('somebody:else', 'kept');
  await w.redis.sadd('user:not-ours', 'x');
  const c = await w.connect(w.pods[0], objectId());
  c.close();
  assert.equal(await w.redis.get('somebody:else'), 'kept');
  assert.deepEqual(await w.redis.smembers('user:not-ours'), ['x']);
  const strange = (await w.redis.keys('*')).filter((k) => !/^(user:.+:sockets|parley:.*|socket\.io.*|somebody:else|user:not-ours)$/.test(k));
  assert.deepEqual(strange, []);
});
