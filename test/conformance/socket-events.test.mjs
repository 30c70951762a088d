// Socket.IO: EVENT, ACK, BINARY_EVENT.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { onNode, usePod } from './kit/pod.mjs';
import { closeWires, Wire } from './kit/wire.mjs';

const pod = usePod();
afterEach(closeWires);

const typing = (more = '') => `["typing",{"chatId":"${pod.chatId}","isTyping":false${more}}]`;

for (const id of ['0', '7', '456', '2147483647', '9007199254740991']) {
  test(`an event with the ack id ${id} is answered with it`, async () => {
    const w = await Wire.joined(pod);
    w.send(`42${id}${typing()}`);
    assert.equal(await w.next((f) => f.startsWith('43')), `43${id}[{"ok":true}]`);
  });
}

// Odd, and read by Node all the same: [frame, answer]
for (const [head, answer] of [['42/,9', '439'], ['4200', '430']]) {
  test(`${head}[...] is answered with ${answer}`, async () => {
    const w = await Wire.joined(pod);
    w.send(`${head}${typing()}`);
    assert.equal(await w.next((f) => f.startsWith('43')), `${answer}[{"ok":true}]`);
  });
}

test('spaces around the body, a trailing line, a short namespace: read', async () => {
  const w = await Wire.joined(pod);
  w.send('42["typing"]\n', '42 ["typing"]', '42/,["typing",{}]', '42["typing",{"__proto__":1}]', '431[]');
  await w.answers();
});

test('an ack that refuses has its code', async () => {
  const w = await Wire.joined(pod);
  w.send('428["typing",{"chatId":"ffffffffffffffffffffffff","isTyping":true}]');
  const f = await w.next((x) => x.startsWith('438['));
  const [answer, ...rest] = JSON.parse(f.slice(3));
  assert.deepEqual([rest, answer.ok, Object.keys(answer.error)], [[], false, ['code', 'message']]);
});

test('events without an ack id are not answered', async () => {
  const w = await Wire.joined(pod);
  w.send(`42${typing()}`, `42${typing()}`);
  await w.answers();
  assert.deepEqual(w.frames.filter((f) => f.startsWith('43')), []);
});

test('acks come back in the order of the events', async () => {
  const w = await Wire.joined(pod);
  for (let i = 0; i < 50; i++) w.send(`42${i}${typing()}`);
  const ids = [];
  while (ids.length < 50) ids.push((await w.next((f) => f.startsWith('43'))).match(/^43(\d+)\[\{"ok":true\}\]$/)[1]);
  assert.deepEqual(ids, Array.from({ length: 50 }, (_, i) => String(i)));
});

test('more arguments than expected, and none, close nothing', async () => {
  const w = await Wire.joined(pod);
  w.send(`421["typing",{"chatId":"${pod.chatId}","isTyping":false},1,"two",{"three":[null,true]}]`);
  assert.equal(await w.next((f) => f.startsWith('431')), '431[{"ok":true}]');
  w.send('42["typing"]', '42["nobody knows this",1]', '42[7,{}]', '42["typing",null]', '43999["an ack nobody asked for"]');
  await w.answers();
});

for (const [name, head, binaries] of [
  ['one attachment', ',"x":{"_placeholder":true,"num":0}', [Buffer.from([1, 2, 3])]],
  ['two attachments', ',"x":{"_placeholder":true,"num":0},"y":[{"_placeholder":true,"num":1}]', [Buffer.from([1, 2, 3]), Buffer.alloc(0)]],
]) {
  test(`a binary event with ${name} is taken and answered`, async () => {
    const w = await Wire.joined(pod);
    w.send(`45${binaries.length}-789${typing(head)}`, ...binaries);
    assert.equal(await w.next((f) => f.startsWith('43')), '43789[{"ok":true}]');
    await w.answers();
  });
}

test('a binary event is not acted upon before its last attachment', async () => {
  const w = await Wire.joined(pod);
  const other = await Wire.joined(pod);
  w.send(`452-3${typing(',"x":{"_placeholder":true,"num":0},"y":{"_placeholder":true,"num":1}')}`, Buffer.from([1]));
  await other.answers();
  assert.deepEqual(w.frames, []);
  w.send(Buffer.from([2]));
  assert.equal(await w.next(), '433[{"ok":true}]');
});

test('the event of the server: 42["new_message",{...}]', async () => {
  const w = await Wire.joined(pod);
  const m = await pod.say('hello "wire" \\ żółw');
  const f = await w.next((x) => x.startsWith('42["new_message",'));
  const [name, body, ...rest] = JSON.parse(f.slice(2));
  assert.equal(name, 'new_message');
  assert.deepEqual([body._id, body.chatId, body.content], [m._id, pod.chatId, 'hello "wire" \\ żółw']);
  assert.deepEqual(rest, [], 'one argument');
  if (!onNode) assert.match(await w.next(), new RegExp(`^42\\["parley:offset","${m._id}\\.[0-9a-z]{8}"\\]$`));
});
