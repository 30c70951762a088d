// A new_message is one object to whoever listens, and its recovery offset an event of its own that nobody needs to
// know. Contract 2 and 7.3.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fromEvent } from 'rxjs';
import { objectId } from './harness/models.mjs';
import { rawSocket } from './harness/raw.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const require = createRequire(import.meta.url);
let bare;
let old;
const w = useWorld({ pods: 2 }, async () => {
  bare = await w.pod({ RECOVERY_WINDOW: 0 });
  old = await w.pod({ ALLOW_EIO3: true });
});

async function pair() {
  const [alice, bob] = [objectId(), objectId()];
  return { alice, bob, chatId: await w.chat(alice, bob) };
}

// What a frontend written for Node is sent, byte by byte.
const messageOf = (m) => `42["new_message",${JSON.stringify({ _id: m._id, chatId: m.chatId, senderId: m.senderId, content: m.textMessage, createdAt: m.createdAt })}]`;
const offsetOf = (m) => `42["parley:offset","${m._id}"]`;

// Frames of a client that is told nothing but messages and offsets; of those the message's id alone.
const talk = (frames) => frames.filter((f) => !f.startsWith('42["user_'))
  .map((f) => f.replace(/^(42\["parley:offset","[0-9a-f]{24})\.[0-9a-z]{8}"\]$/, '$1"]'));

async function joined(pod, user, { EIO = 4, auth = {} } = {}) {
  const s = await rawSocket(pod, { EIO, query: EIO === 3 ? `&token=${token(user)}` : '' });
  if (EIO === 4) s.send(`40${JSON.stringify({ token: token(user), ...auth })}`);
  const answer = await s.next((f) => f.startsWith('40'));
  s.said = answer.length > 2 ? JSON.parse(answer.slice(2)) : {};
  return s;
}

// A client on long polling; next() is the packets of the first answer from then on that brings messages.
async function poller(pod, user) {
  const base = `${pod.url}/socket.io/?EIO=4&transport=polling`;
  const hello = JSON.parse((await (await fetch(base)).text()).slice(1));
  const url = `${base}&sid=${hello.sid}`;
  const send = async (body) => assert.equal(await (await fetch(url, { method: 'POST', body })).text(), 'ok');
  await send(`40${JSON.stringify({ token: token(user) })}`);
  const poll = async (wanted) => {
    for (let i = 0; i < 20; i++) {
      const body = await (await fetch(url)).text();
      if (body === '2') await send('3');
      else if (wanted(body)) return body;
    }
    throw new Error('twenty polls, and not what was waited for');
  };
  const hasMessages = (body) => body.includes('new_message');
  let answer = await poll((body) => body.startsWith('40')); // with what was waiting, if that was quicker than the poll
  return {
    next: async () => {
      if (!hasMessages(answer)) answer = await poll(hasMessages);
      return talk(answer.split('\x1e').filter((packet) => !packet.startsWith('40')));
    },
  };
}

test('WebSocket: the message as Node sends it, its offset right behind it', { timeout: 20_000 }, async () => {
  const { alice, bob, chatId } = await pair();
  const s = await joined(w.pods[1], bob);
  const sent = [];
  for (const text of ['one', 'two', 'żółw "3"\u2028']) sent.push(await w.said(w.pods[0], alice, chatId, text));
  await waitFor(() => talk(s.received).length >= 6, 5_000, 'six frames');
  assert.deepEqual(talk(s.received), sent.flatMap((m) => [messageOf(m), offsetOf(m)]));
});

test('polling: one offset behind all that an answer brings', { timeout: 20_000 }, async () => {
  const { alice, bob, chatId } = await pair();
  const p = await poller(w.pods[0], bob);
  const sent = [];
  for (const text of ['one', 'two', 'three']) sent.push(await w.said(w.pods[0], alice, chatId, text));
  assert.deepEqual(await p.next(), [...sent.map(messageOf), offsetOf(sent[2])]);
});

test('what was missed while away has its offsets, too', { timeout: 20_000 }, async () => {
  const { alice, bob, chatId } = await pair();
  (await w.connect(w.pods[0], bob)).close();
  await w.present(bob);
  const sent = [];
  for (const text of ['one', 'two', 'three']) sent.push(await w.said(w.pods[0], alice, chatId, text));
  const p = await poller(w.pods[0], bob);
  assert.deepEqual(await p.next(), [...sent.map(messageOf), offsetOf(sent[2])]);
});

for (const [name, pod, EIO] of [['RECOVERY_WINDOW=0', () => bare, 4], ['Engine.IO 3', () => old, 3]]) {
  test(`${name}: no offset`, { timeout: 20_000 }, async () => {
    const { alice, bob, chatId } = await pair();
    const s = await joined(pod(), bob, { EIO });
    const sent = [await w.said(pod(), alice, chatId, 'one'), await w.said(w.pods[0], alice, chatId, 'two')];
    await s.next((f) => f === messageOf(sent[1]));
    assert.deepEqual(talk(s.received), [messageOf(sent[0])]);
    assert.equal(s.said.pid, undefined);
  });
}

test('a handler of one parameter, and one that counts', { timeout: 20_000 }, async () => {
  const { alice, bob, chatId } = await pair();
  for (const transports of [['websocket'], ['polling']]) {
    const c = w.client(w.pods[0], bob, { transports });
    const counts = [];
    const objects = [];
    c.socket.on('new_message', function handler() { counts.push(arguments.length); });
    c.socket.on('new_message', (message) => objects.push(message));
    await c.connected();
    const m = await w.settle(w.pods[1], alice, chatId, c);
    assert.deepEqual(counts, [1]);
    assert.equal(objects[0]._id, m._id);
    c.close();
  }
});

test('RxJS: fromEvent yields the object', { timeout: 20_000 }, async () => {
  const { alice, bob, chatId } = await pair();
  const c = w.client(w.pods[0], bob);
  const got = [];
  const subscription = fromEvent(c.socket, 'new_message').subscribe((value) => got.push(value));
  await c.connected();
  const m = await w.settle(w.pods[1], alice, chatId, c);
  subscription.unsubscribe();
  assert.deepEqual(got, [{ _id: m._id, chatId, senderId: alice, content: m.textMessage, createdAt: m.createdAt }]);
});

test('vue-socket.io-extended: the component and the store are given the object', { timeout: 20_000 }, async () => {
  const Vue = require('vue');
  const Vuex = require('vuex');
  const { default: VueSocketIOExt } = await import('vue-socket.io-extended');
  Object.assign(Vue.config, { productionTip: false, devtools: false });
  const { alice, bob, chatId } = await pair();
  const c = w.client(w.pods[0], bob);
  const mutated = [];
  const acted = [];
  const heard = [];
  Vue.use(Vuex);
  const store = new Vuex.Store({
    mutations: { SOCKET_NEW_MESSAGE: (state, payload) => mutated.push(payload) },
    actions: { socket_newMessage: (context, payload) => acted.push(payload) },
  });
  Vue.use(VueSocketIOExt, c.socket, { store });
  const component = new Vue({ store, sockets: { new_message(...args) { heard.push(args); } } });
  await c.connected();
  const m = await w.settle(w.pods[1], alice, chatId, c);
  component.$destroy();
  const payload = { _id: m._id, chatId, senderId: alice, content: m.textMessage, createdAt: m.createdAt };
  assert.deepEqual(heard, [[payload]]);
  assert.deepEqual(mutated, [payload]);
  assert.deepEqual(acted, [payload]);
});

test('onAny sees the offset as an event of one text, and only then', { timeout: 20_000 }, async () => {
  const { alice, bob, chatId } = await pair();
  const [c, d] = [w.client(w.pods[0], bob), w.client(bare, bob)];
  const seen = new Map([[c, []], [d, []]]);
  for (const [client, list] of seen) client.socket.onAny((...args) => { if (!args[0].startsWith('user_')) list.push(args); });
  await Promise.all([c.connected(), d.connected()]);
  const m = await w.settle(w.pods[1], alice, chatId, c, d);
  await waitFor(() => c.socket._lastOffset?.startsWith(`${m._id}.`), 5_000, 'the offset to be taken');
  assert.deepEqual(seen.get(c).map(([name, ...rest]) => [name, rest.length]), [['new_message', 1], ['parley:offset', 1]]);
  assert.equal(seen.get(c)[1][1], c.socket._lastOffset);
  assert.deepEqual(seen.get(d).map(([name, ...rest]) => [name, rest.length]), [['new_message', 1]]);
});

test('cut off between a message and its offset: that one comes again, and what was missed, once', { timeout: 20_000 }, async () => {
  const { alice, bob, chatId } = await pair();
  const s = await joined(w.pods[0], bob);
  const sent = [await w.said(w.pods[0], alice, chatId, 'one')];
  const [, offset] = JSON.parse((await s.next((f) => talk([f])[0] === offsetOf(sent[0]))).slice(2));
  // From here on this client takes the message, and not a byte more.
  const cut = new Promise((resolve) => {
    s.ws.on('message', (data) => { if (data.toString().startsWith('42["new_message"')) { s.ws.terminate(); resolve(); } });
  });
  sent.push(await w.said(w.pods[0], alice, chatId, 'two'));
  await cut;
  const { pid } = s.said;
  await waitFor(() => w.redis.exists(`parley:session:${pid}`), 10_000, 'the old socket to leave word');
  sent.push(await w.said(w.pods[0], alice, chatId, 'three'));
  const back = await joined(w.pods[1], bob, { auth: { pid, offset } });
  assert.equal(back.said.pid, pid, 'recovered');
  sent.push(await w.said(w.pods[1], alice, chatId, 'four'));
  await back.next((f) => talk([f])[0] === offsetOf(sent[3]));
  assert.deepEqual(talk(back.received), [...sent.slice(1, 3).flatMap((m) => [messageOf(m), offsetOf(m)]), messageOf(sent[3])]);
});
