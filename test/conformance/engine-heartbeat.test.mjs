// Engine.IO heartbeat: the server asks every PING_INTERVAL and closes PING_TIMEOUT after an answer that did not come.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { sleep, waitFor } from '../e2e/harness/wait.mjs';
import { usePod } from './kit/pod.mjs';
import { closeWires, Polling, request, Wire } from './kit/wire.mjs';
import { assertNotBefore, beating, PING_INTERVAL, PING_TIMEOUT, promptly, slack } from './kit/settings.mjs';

const silence = PING_INTERVAL + PING_TIMEOUT;
const rounds = Math.ceil(silence / PING_INTERVAL) + 1; // a session whose pongs were not heard would be gone by the last

// The tests wait beside each other.
describe('a server that beats', { concurrency: true }, () => {
  const pod = usePod(beating);
  after(closeWires);

  // Resolves once nobody knows the session. A living one refuses another version's request, which does not touch it.
  const gone = (sid, ms) => waitFor(async () => {
    await sleep(20); // asked no oftener, on a busy machine
    return (await request(pod, { EIO: '3', transport: 'polling', sid })).json?.code === 1;
  }, ms, 'the session to end');

  test('the open packet tells the times', async () => {
    const { hello } = await Wire.open(pod);
    assert.deepEqual([hello.pingInterval, hello.pingTimeout], [PING_INTERVAL, PING_TIMEOUT]);
  });

  test('websocket: ping after ping, each answered, keeps the session for as long as it likes', async () => {
    const w = await Wire.joined(pod); // answers by itself while it joins
    w.pong = false;
    let from;
    for (let i = 0; i < rounds; i++) {
      assert.equal(await w.next((f) => f === '2', PING_INTERVAL + slack), '2');
      if (i > 0) assertNotBefore(from, PING_INTERVAL);
      from = performance.now();
      w.send('3');
    }
    await w.answers();
  });

  test('websocket: no pong, closed after interval and timeout, not before', async () => {
    const from = performance.now();
    const w = await Wire.joined(pod);
    w.pong = false;
    const end = await w.ended(silence + slack);
    assertNotBefore(from, silence);
    assert.equal(end.code, 1005);
    assert.deepEqual(w.frames.filter((f) => f === '2'), ['2']);
    await gone(w.engine);
  });

  test('websocket: pongs nobody asked for do not replace the one that is due', async () => {
    const { it: w, from } = await promptly(PING_INTERVAL, () => Wire.open(pod, {}, { pong: false }), (it) => it.send('3', '3'));
    await w.next((f) => f === '2', PING_INTERVAL + slack);
    await w.ended(PING_TIMEOUT + slack);
    assertNotBefore(from, silence);
  });

  test('polling: ping and pong', async () => {
    const s = await Polling.open(pod);
    for (let i = 0; i < rounds; i++) {
      const res = await s.get(PING_INTERVAL + slack);
      assert.deepEqual([res.status, res.text], [200, '2']);
      await s.say('3');
    }
  });

  test('polling: silence closes the session', async () => {
    const from = performance.now();
    const s = await Polling.open(pod);
    await gone(s.sid, silence + slack);
    assertNotBefore(from, silence);
    await s.assertGone();
  });

  test('polling: polls without pongs close the session; the poll is not left hanging', async () => {
    const from = performance.now();
    const s = await Polling.open(pod);
    assert.equal((await s.get(PING_INTERVAL + slack)).text, '2');
    const end = await s.get(PING_TIMEOUT + slack);
    assert.deepEqual([end.status, end.text], [200, '1']);
    assertNotBefore(from, silence);
    await s.assertGone();
  });
});
