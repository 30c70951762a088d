// Engine.IO: from polling to WebSocket, with a probe, under traffic.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { sleep, waitFor } from '../e2e/harness/wait.mjs';
import { usePod } from './kit/pod.mjs';
import { closeWires, Polling, RS, Wire } from './kit/wire.mjs';

const pod = usePod();
afterEach(closeWires);

const mismatch = { code: 3, message: 'Bad request' };

async function joined() {
  const s = await Polling.open(pod);
  await s.join();
  return s;
}

async function probed(s) {
  const w = new Wire(pod, { sid: s.sid });
  await w.opened();
  w.send('2probe');
  assert.equal(await w.next(), '3probe');
  return w;
}

async function upgraded() {
  const s = await joined();
  const poll = s.get();
  await sleep(50);
  const w = await probed(s);
  const res = await poll;
  assert.deepEqual([res.status, res.text], [200, '6']);
  w.send('5');
  await w.answers();
  return { s, w };
}

test('2probe, 3probe, 6 to the waiting poll, 5, and the session goes on', async () => {
  const { w } = await upgraded();
  await w.answers();
  assert.deepEqual(w.frames, []);
});

test('the poll that comes after the probe gets 6 too', async () => {
  const s = await joined();
  const w = await probed(s);
  const res = await s.get(2_000);
  assert.deepEqual([res.status, res.text], [200, '6']);
  w.send('5');
  await w.answers();
});

test('the upgrade before CONNECT', async () => {
  const s = await Polling.open(pod);
  const w = await probed(s);
  assert.equal((await s.get(2_000)).text, '6');
  w.send('5');
  await w.join();
  await w.answers();
});

test('2probe and 5 at once', async () => {
  const s = await joined();
  const w = new Wire(pod, { sid: s.sid });
  await w.opened();
  w.send('2probe', '5');
  assert.equal(await w.next(), '3probe');
  await w.answers();
});

test('nothing is lost, doubled or out of order, whatever the moment of the upgrade', { timeout: 30_000 }, async () => {
  for (let round = 0; round < 5; round++) {
    const s = await joined();
    const sent = [];
    const got = [];
    const take = (p) => { if (p.startsWith('42["new_message"')) got.push(JSON.parse(p.slice(2))[1].content); };
    let sending = true;
    const sender = (async () => {
      for (let i = 0; i < 40; i++) { const text = `r${round}-${i}`; sent.push(text); await pod.say(text); }
      sending = false;
    })();
    let polling = true;
    const poller = (async () => {
      while (polling) {
        const res = await s.get();
        if (res.status !== 200) return;
        res.text.split(RS).forEach(take);
        if (res.text.includes('6') && !polling) return;
      }
    })();
    await waitFor(() => got.length > 5 + round);
    const w = await probed(s);
    await sleep(20 * round);
    polling = false; // as the stock client: the poll under way ends, then comes 5
    await poller;
    w.send('5');
    await sender;
    await waitFor(() => !sending && got.length + w.frames.filter((f) => f.startsWith('42["new_message"')).length >= sent.length, 5_000, () => `${sent.length} messages; ${got.length} by polls, ${w.frames.length} by frames`);
    w.frames.splice(0).forEach(take);
    assert.deepEqual(got, sent);
    w.close();
  }
});

test('what was waiting when 5 comes is sent over the WebSocket', async () => {
  const s = await joined();
  const w = await probed(s);
  await pod.say('waiting');
  w.send('5');
  const f = await w.next((x) => x.startsWith('42["new_message"'));
  assert.equal(JSON.parse(f.slice(2))[1].content, 'waiting');
});

test('a poll after the upgrade is a 400, a POST too, and the session goes on', async () => {
  const { s, w } = await upgraded();
  for (const res of [await s.get(), await s.post('3')]) assert.deepEqual([res.status, res.json], [400, mismatch]);
  await w.answers();
});

test('a second WebSocket after the upgrade is closed, and the session goes on', async () => {
  const { s, w } = await upgraded();
  const second = new Wire(pod, { sid: s.sid });
  await second.rejected();
  await w.answers();
});

test('a second WebSocket during the upgrade is closed, and the first succeeds', async () => {
  const s = await joined();
  const w = await probed(s);
  const second = new Wire(pod, { sid: s.sid });
  await second.rejected();
  w.send('5');
  await w.answers();
});

// Node lets it wait for a probe, up to its upgrade timeout.
test('a second WebSocket on a session that began as WebSocket is told nothing and takes nothing over', async () => {
  const w = await Wire.joined(pod);
  const second = new Wire(pod, { sid: w.engine });
  await waitFor(() => second.closed || second.refused || second.ws.readyState === 1);
  await pod.say('for the first alone');
  await w.next((f) => f.includes('for the first alone'));
  await w.answers();
  assert.deepEqual(second.all, []);
});

test('a probe given up leaves the polling session as it was, and it can be tried again', async () => {
  const s = await joined();
  const w = await probed(s);
  w.close();
  await pod.say('still here');
  await s.until((p) => p.includes('still here'));
  const again = await waitFor(async () => {
    const w2 = new Wire(pod, { sid: s.sid });
    await waitFor(() => w2.closed || w2.refused || w2.ws.readyState === 1);
    w2.send('2probe');
    return w2.next().then((f) => f === '3probe' && w2, () => false);
  });
  again.send('5');
  await again.answers();
});

for (const frame of ['4hello', '3probe', '2', 'abc']) {
  test(`the frame ${frame} for a probe closes the WebSocket, not the session`, async () => {
    const s = await joined();
    const w = new Wire(pod, { sid: s.sid });
    await w.opened();
    w.send(frame);
    await w.ended();
    await pod.say(`after ${frame}`);
    await s.until((p) => p.includes(`after ${frame}`));
  });
}
