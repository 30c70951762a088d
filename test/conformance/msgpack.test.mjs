// SOCKETIO_PARSER=msgpack: stock clients with socket.io-msgpack-parser, and its packets by hand.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { afterEach, describe, test } from 'node:test';
import { transportSets } from '../compat.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { onNode, usePod } from './kit/pod.mjs';
import { ask, closeStock, connect, connected, heard, stock } from './kit/stock.mjs';
import { closeWires, Polling, Wire } from './kit/wire.mjs';
import { patient } from './kit/settings.mjs';

const require = createRequire(import.meta.url);
const parser = require('socket.io-msgpack-parser');
const { decode, encode } = createRequire(require.resolve('socket.io-msgpack-parser'))('notepack.io');

const pod = usePod({ ...patient, SOCKETIO_PARSER: 'msgpack' });
afterEach(() => { closeStock(); closeWires(); });

describe('stock clients with the parser', () => {
  for (const version of Object.keys(stock).filter((v) => !v.startsWith('2.'))) {
    for (const [set, transports] of Object.entries(transportSets)) {
      test(`${version} over ${set}`, { timeout: 20_000 }, async () => {
        const socket = connect(pod, version, { transports, parser });
        const messages = [];
        socket.on('new_message', (m) => messages.push(m));
        await connected(socket);
        if (!transports) await waitFor(() => socket.io.engine.transport.name === 'websocket', 8_000, 'the upgrade');
        for (const text of ['one', 'dwa żółw', '三 🐢']) await pod.say(text);
        await waitFor(() => messages.length >= 3, 8_000, () => `3 messages, has ${JSON.stringify(messages)}`);
        assert.deepEqual(messages.map((m) => m.content), ['one', 'dwa żółw', '三 🐢']);
        assert.deepEqual(Object.keys(messages[0]), ['_id', 'chatId', 'senderId', 'content', 'createdAt']);
        assert.deepEqual(await ask(socket, 'typing', { chatId: pod.chatId, isTyping: false, x: Buffer.from([1, 2, 3]) }), { ok: true });
        const refused = await ask(socket, 'typing', { chatId: 'f'.repeat(24), isTyping: false });
        assert.deepEqual([refused.ok, Object.keys(refused.error)], [false, ['code', 'message']]);

        const nobody = connect(pod, version, { transports, parser, token: null });
        const [err] = await heard(nobody, 'connect_error');
        assert.deepEqual([err.message, err.data?.code], ['Authentication error', 'token_missing']);

        const engine = socket.io.engine;
        socket.disconnect();
        await waitFor(() => engine.readyState === 'closed', 8_000, 'the old connection to end');
        socket.connect();
        await connected(socket);
        await pod.say('again');
        await waitFor(() => messages.some((m) => m.content === 'again'), 8_000, 'the message after the return');
        assert.equal(messages.length, 4);
      });
    }
  }

  test('a client without the parser is cut off and harms nobody', async () => {
    const other = connect(pod, '4.8.4', { transports: ['websocket'], parser });
    await connected(other);
    const w = await Wire.open(pod);
    w.send(`40${pod.auth()}`);
    assert.deepEqual(await w.ended(), { code: 1005, reason: '' });
    assert.deepEqual(await ask(other, 'typing', { chatId: pod.chatId, isTyping: false }), { ok: true });
  });
});

// By hand: each packet is one binary frame.
async function joined() {
  const w = await Wire.open(pod);
  w.send(encode({ type: 0, data: JSON.parse(pod.auth()), nsp: '/' }));
  const answer = decode(await w.next());
  assert.equal(answer.type, 0, JSON.stringify(answer));
  return { w, answer };
}

async function answers(w) {
  const id = 4711;
  w.send(encode({ type: 2, data: ['typing', { chatId: pod.chatId, isTyping: false }], options: { compress: true }, id, nsp: '/' }));
  assert.deepEqual(decode(await w.next((f) => Buffer.isBuffer(f) && decode(f).type === 3)), { id, type: 3, data: [{ ok: true }], nsp: '/' });
}

test('CONNECT, its answer, the event, DISCONNECT', async () => {
  const { w, answer } = await joined();
  assert.deepEqual(Object.keys(answer), ['type', 'data', 'nsp']);
  assert.match(answer.data.sid, /^[\w-]{20}$/);
  const m = await pod.say('hello "wire" żółw');
  const event = decode(await w.next((f) => decode(f).type === 2));
  assert.deepEqual(Object.keys(event), ['type', 'data', 'nsp']);
  assert.deepEqual([event.data.length, event.data[0], event.data[1]._id, event.nsp], [2, 'new_message', m._id, '/']);
  if (!onNode) {
    const { data: [name, offset], ...rest } = decode(await w.next());
    assert.deepEqual([name, offset.split('.')[0], rest], ['parley:offset', m._id, { type: 2, nsp: '/' }]);
  }
  await answers(w);
  w.send(encode({ type: 1, nsp: '/' }), encode({ type: 0, nsp: '/foo' }));
  assert.deepEqual(decode(await w.next()), { type: 4, nsp: '/foo', data: { message: 'Invalid namespace' } });
  await pod.say('not for those who left');
  w.send(encode({ type: 0, nsp: '/foo' }));
  assert.equal(decode(await w.next()).type, 4);
  assert.deepEqual(w.frames, []);
});

test('an event without arguments and without a name says nothing', async () => {
  const { w } = await joined();
  w.send(encode({ type: 2, data: [], nsp: '/' }), encode({ type: 2, data: [{}], nsp: '/' }), encode({ type: 3, data: [], id: 7, nsp: '/' }));
  await answers(w);
  assert.deepEqual(w.frames, []);
});

const valid = { type: 2, data: ['typing'], nsp: '/' };
for (const [what, frame] of [
  ['text', '2["typing"]'], ['empty', Buffer.alloc(0)], ['no MessagePack', Buffer.from([0xc1])], ['cut short', encode(valid).subarray(0, -1)],
  ['no object', encode([2, ['typing'], '/'])], ['null', encode(null)], ['no type', encode({ ...valid, type: undefined })], ['a type of its own', encode({ ...valid, type: 5 })],
  ['a type of text', encode({ ...valid, type: '2' })], ['no namespace', encode({ type: 2, data: ['typing'] })], ['a namespace of another kind', encode({ ...valid, nsp: 1 })],
  ['data that is no list', encode({ ...valid, data: {} })], ['no data', encode({ type: 2, nsp: '/' })], ['an id of text', encode({ ...valid, id: '1' })], ['half an id', encode({ ...valid, id: 1.5 })],
  ['a repeated CONNECT', encode({ type: 0, nsp: '/' })], ['a DISCONNECT with data', encode({ type: 1, data: {}, nsp: '/' })],
]) {
  test(`a frame that is ${what} closes that connection alone`, async () => {
    const [{ w: other }, { w }] = [await joined(), await joined()];
    w.send(frame);
    assert.deepEqual(await w.ended(), { code: 1005, reason: '' });
    await answers(other);
    assert.ok(pod.running());
  });
}

test('over polling packets are base64', async () => {
  const s = await Polling.open(pod);
  await s.say(`b${encode({ type: 0, data: JSON.parse(pod.auth()), nsp: '/' }).toString('base64')}`);
  const answer = await s.until((p) => p.startsWith('b'));
  assert.equal(decode(Buffer.from(answer.slice(1), 'base64')).type, 0);
});
