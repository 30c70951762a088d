// Engine.IO: how a session is opened, and how a bad request is turned away.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { onNode, usePod } from './kit/pod.mjs';
import { closeWires, Polling, request, Wire } from './kit/wire.mjs';
import { MAX_PAYLOAD } from './kit/settings.mjs';

const pod = usePod();
afterEach(closeWires);

const fields = ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades'];

function assertHello(hello, upgrades) {
  assert.deepEqual(Object.keys(hello).sort(), fields);
  const { sid, ...rest } = hello;
  assert.match(sid, /^[\w-]{20,}$/);
  assert.deepEqual(rest, { upgrades, pingInterval: 25_000, pingTimeout: 20_000, maxPayload: MAX_PAYLOAD });
}

test('polling: the open packet has its five fields', async () => {
  const res = await request(pod, { EIO: '4', transport: 'polling' });
  assert.equal(res.status, 200);
  assert.equal(res.type?.toLowerCase(), 'text/plain; charset=utf-8');
  assert.equal(res.text[0], '0');
  assertHello(JSON.parse(res.text.slice(1)), ['websocket']);
});

test('polling: every session has an id of its own', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => Polling.open(pod)));
  assert.equal(new Set(all.map((s) => s.sid)).size, 20);
});

test('websocket: the open packet has its five fields and nothing to upgrade to', async () => {
  const w = await Wire.open(pod);
  assertHello(w.hello, []);
});

const unknownTransport = { code: 0, message: 'Transport unknown' };
const unknownSid = { code: 1, message: 'Session ID unknown' };
const badMethod = { code: 2, message: 'Bad handshake method' };
const badRequest = { code: 3, message: 'Bad request' };
const badVersion = { code: 5, message: 'Unsupported protocol version' };

const bad = [
  ['no EIO', { transport: 'polling' }, 'GET', badVersion],
  ['EIO=abc', { EIO: 'abc', transport: 'polling' }, 'GET', badVersion],
  ['EIO=3 while ALLOW_EIO3 is off', { EIO: '3', transport: 'polling' }, 'GET', badVersion],
  ['EIO=5', { EIO: '5', transport: 'polling' }, 'GET', badVersion],
  ['no transport', { EIO: '4' }, 'GET', unknownTransport],
  ['transport=abc', { EIO: '4', transport: 'abc' }, 'GET', unknownTransport],
  ['transport=websocket without an upgrade', { EIO: '4', transport: 'websocket' }, 'GET', badRequest],
  ['POST without a sid', { EIO: '4', transport: 'polling' }, 'POST', badMethod],
  ['PUT without a sid', { EIO: '4', transport: 'polling' }, 'PUT', badMethod],
  ['DELETE without a sid', { EIO: '4', transport: 'polling' }, 'DELETE', badMethod],
  ['GET with an unknown sid', { EIO: '4', transport: 'polling', sid: 'nobody' }, 'GET', unknownSid],
  ['POST with an unknown sid', { EIO: '4', transport: 'polling', sid: 'nobody' }, 'POST', unknownSid],
  ['a sid that is a name of the language', { EIO: '4', transport: 'polling', sid: '__proto__' }, 'GET', unknownSid],
];
for (const [name, query, method, body] of bad) {
  test(`polling: ${name} is a 400 with its code`, async () => {
    const res = await request(pod, query, { method, body: method === 'GET' ? undefined : '40' });
    assert.equal(res.status, 400, JSON.stringify(res));
    assert.deepEqual(res.json, body);
    assert.match(res.type ?? '', /^application\/json/);
  });
}

test('polling: JSONP is answered at once', async () => {
  const res = await request(pod, { EIO: '4', transport: 'polling', j: '0' });
  if (onNode) assert.match(res.text, /^___eio\[0\]\("0\{/);
  else assert.deepEqual([res.status, res.json], [400, unknownTransport]);
});

for (const [name, query] of [
  ['no EIO', { EIO: '' }], ['EIO=abc', { EIO: 'abc' }], ['EIO=3 while ALLOW_EIO3 is off', { EIO: '3' }],
  ['no transport', { transport: '' }], ['transport=abc', { transport: 'abc' }], ['transport=polling', { transport: 'polling' }], ['an unknown sid', { sid: 'nobody' }],
]) {
  test(`websocket: ${name} is refused`, async () => {
    const w = new Wire(pod, query);
    const end = await w.rejected();
    assert.equal(end.status ?? 400, 400, JSON.stringify(end));
    await (await Wire.open(pod)).join();
  });
}

test('polling: a session of another protocol version, or of another transport, is a 400', async () => {
  const s = await Polling.open(pod);
  const other = await request(pod, { EIO: '3', transport: 'polling', sid: s.sid });
  assert.deepEqual([other.status, other.json], [400, badRequest]);
  const w = await Wire.open(pod);
  const mixed = await request(pod, { EIO: '4', transport: 'polling', sid: w.engine });
  assert.deepEqual([mixed.status, mixed.json], [400, badRequest]);
});
