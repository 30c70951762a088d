// Socket.IO: what cannot be read closes the connection it came by, and nothing else.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { usePod } from './kit/pod.mjs';
import { closeWires, Polling, Wire } from './kit/wire.mjs';

const pod = usePod();
afterEach(closeWires);

const frames = [
  '4', '4abc', '47', '49[]', '4 2["typing"]', '42{', '42[', '42{}', '42[]', '42null', '42"typing"', '42abc["typing"]', '42["typing",{}]x', '42["typing",]', '4{"x":1}', '42-1["typing"]',
  '42[null]', '42[{}]', '42["connect"]', '42["disconnect"]', '42["connect_error",{}]', '42["newListener"]', '42["removeListener"]', '42["disconnecting"]',
  '43{}', '431{}', '43abc', '40"token"', '40[]', '40null', '41"bye"', '41x', '41{}', '45', '450-["typing",{}]', '4510000-["x"]', '4511-["x"]', '45["typing"]', '45-["typing"]', '45x-["typing"]', '451', '451-{}', '46', '46[]', '46x-[]',
  '4\ud83d\ude00', `4${'['.repeat(5000)}`, `42${'['.repeat(5000)}`,
];
const name = (f) => JSON.stringify(f.length > 40 ? `${f.slice(0, 20)}... (${f.length})` : f);

// Packets without the payload they need say nothing.
for (const frames of [['42'], ['421'], ['43'], ['431'], ['451-', Buffer.from([1])]]) {
  test(`${name(frames[0])} says nothing`, async () => {
    const w = await Wire.joined(pod);
    w.send(...frames);
    await w.answers();
    assert.deepEqual(w.frames, []);
  });
}

test('"4 " is a CONNECT without a token: Number(" ") is 0', async () => {
  const w = await Wire.open(pod);
  w.send('4 ');
  const answer = await w.next((f) => f.startsWith('44'));
  assert.equal(JSON.parse(answer.slice(2)).data.code, 'token_missing');
});

// 40 with a body is no repeated CONNECT here: those are sent before the first one.
for (const frame of frames) {
  test(`${name(frame)} closes that connection alone`, async () => {
    const other = await Wire.joined(pod);
    const w = frame.startsWith('40') ? await Wire.open(pod) : await Wire.joined(pod);
    w.send(frame);
    assert.deepEqual(await w.ended(), { code: 1005, reason: '' });
    assert.deepEqual(w.frames, [], 'nothing is said to it');
    await other.answers();
    assert.ok(pod.running());
  });
}

for (const [what, sent] of [
  ['text where an attachment is due', ['452-["typing",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', '42["typing"]']],
  ['an attachment nobody announced', [Buffer.from([1, 2, 3])]],
  ['a placeholder without its attachment', ['451-["typing",{"_placeholder":true,"num":5}]', Buffer.from([1])]],
  ['a placeholder with a negative number', ['451-["typing",{"_placeholder":true,"num":-1}]', Buffer.from([1])]],
  ['a placeholder whose number is text', ['451-["typing",{"_placeholder":true,"num":"splice"}]', Buffer.from([1])]],
]) {
  test(`${what} closes that connection alone`, async () => {
    const other = await Wire.joined(pod);
    const w = await Wire.joined(pod);
    w.send(...sent);
    assert.equal((await w.ended()).code, 1005);
    await other.answers();
  });
}

for (const frame of ['4abc', '42{', '452-["typing"]\x1e42["typing"]', '4']) {
  test(`polling: ${name(frame)} closes the session`, async () => {
    const s = await Polling.open(pod);
    await s.join();
    const res = await s.post(frame);
    assert.ok(res.cut || res.status === 200 || res.status === 400, JSON.stringify(res));
    const last = await s.get();
    if (last.status === 200) {
      assert.equal(last.text, '6\x1e1');
      await s.assertGone();
    } else assert.equal(last.json?.code, 1, JSON.stringify(last));
    const next = await Polling.open(pod);
    await next.join();
  });
}

test('after a thousand bad connections the server is up and takes good ones', { timeout: 60_000 }, async () => {
  const bad = ['3', '7', '42', '4abc', '452-["x"]', '42{', '41', '4'];
  for (let i = 0; i < 40; i++) {
    await Promise.all(Array.from({ length: 25 }, async (_, k) => {
      const w = new Wire(pod);
      await w.opened(10_000);
      w.send(bad[(i + k) % bad.length]);
      w.ws.close();
      await w.ended(10_000);
    }));
  }
  assert.ok(pod.running());
  const w = await Wire.joined(pod);
  await w.answers();
  await pod.say('up');
  await w.next((f) => f.includes('"up"'));
});
