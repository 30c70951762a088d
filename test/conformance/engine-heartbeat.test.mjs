// Engine.IO heartbeat: the server asks every PING_INTERVAL and closes PING_TIMEOUT after an answer that did not come.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { sleep } from '../e2e/harness/wait.mjs';
import { usePod } from './kit/pod.mjs';
import { closeWires, Polling, request, Wire } from './kit/wire.mjs';
import { beating, PING_INTERVAL, PING_TIMEOUT } from './kit/settings.mjs';

const pod = usePod(beating);
afterEach(closeWires);
const slack = 400; // ms a busy machine may be late by

test('the open packet tells the times', async () => {
  const { hello } = await Wire.open(pod);
  assert.deepEqual([hello.pingInterval, hello.pingTimeout], [PING_INTERVAL, PING_TIMEOUT]);
});

test('websocket: ping after ping, each answered, keeps the session for as long as it likes', async () => {
  const w = await Wire.open(pod, {}, { pong: false });
  await w.join();
  for (let i = 0; i < 4; i++) {
    const from = Date.now();
    assert.equal(await w.next((f) => f === '2', PING_INTERVAL + slack), '2');
    if (i > 0) assert.ok(Date.now() - from > PING_INTERVAL - 50, `the next ping came after ${Date.now() - from} ms`);
    w.send('3');
  }
  await w.answers();
});

test('websocket: no pong, closed after interval and timeout, not before', async () => {
  const w = await Wire.open(pod, {}, { pong: false });
  const from = Date.now();
  await w.join();
  const end = await w.ended(PING_INTERVAL + PING_TIMEOUT + slack);
  const took = Date.now() - from;
  assert.ok(took > PING_INTERVAL + PING_TIMEOUT - 60, `after ${took} ms`);
  assert.equal(end.code, 1005);
  assert.deepEqual(w.frames.filter((f) => f === '2'), ['2']);
  const res = await request(pod, { EIO: '4', transport: 'polling', sid: w.engine });
  assert.equal(res.json?.code, 1);
});

test('websocket: pongs nobody asked for do not replace the one that is due', async () => {
  const w = await Wire.open(pod, {}, { pong: false });
  await w.next((f) => f === '2');
  await w.ended(PING_TIMEOUT + slack);
});

test('polling: ping and pong', async () => {
  const s = await Polling.open(pod);
  for (let i = 0; i < 4; i++) {
    const res = await s.get(PING_INTERVAL + slack);
    assert.deepEqual([res.status, res.text], [200, '2']);
    await s.say('3');
  }
});

test('polling: silence closes the session', async () => {
  const s = await Polling.open(pod);
  await sleep(PING_INTERVAL + PING_TIMEOUT + 150);
  await s.assertGone();
});

test('polling: polls without pongs close the session; the poll is not left hanging', async () => {
  const s = await Polling.open(pod);
  assert.equal((await s.get()).text, '2');
  const end = await s.get(PING_TIMEOUT + slack);
  assert.deepEqual([end.status, end.text], [200, '1']);
  await s.assertGone();
});
