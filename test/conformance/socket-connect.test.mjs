// Socket.IO: CONNECT, CONNECT_ERROR, DISCONNECT.
import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from 'node:test';
import { waitFor } from '../e2e/harness/wait.mjs';
import { usePod } from './kit/pod.mjs';
import { closeWires, Polling, Wire } from './kit/wire.mjs';
import { assertNotBefore, CONNECT_TIMEOUT, hasty, PING_INTERVAL, promptly, slack } from './kit/settings.mjs';

function assertRefused(frame, code) {
  assert.equal(frame.slice(0, 2), '44');
  const body = JSON.parse(frame.slice(2));
  assert.deepEqual(Object.keys(body).sort(), ['data', 'message']);
  assert.equal(body.message, 'Authentication error');
  assert.deepEqual(Object.keys(body.data).sort(), ['code', 'message']);
  assert.equal(body.data.code, code);
  assert.match(body.data.message, /\S/);
}

describe('with time enough', () => {
  const pod = usePod();
  afterEach(closeWires);

  for (const [name, auth, code] of [['no auth', '', 'token_missing'], ['an empty object', '{}', 'token_missing'], ['a bad token', '{"token":"nonsense"}', 'token_malformed']]) {
    test(`CONNECT with ${name} is refused with its code`, async () => {
      const w = await Wire.open(pod);
      w.send(`40${auth}`);
      assertRefused(await w.next(), code);
    });
  }

  test('CONNECT with an id is a CONNECT', async () => {
    const w = await Wire.open(pod);
    w.send('407');
    assertRefused(await w.next(), 'token_missing');
  });

  test('CONNECT over polling without a token is refused', async () => {
    const s = await Polling.open(pod);
    await s.say('40');
    assertRefused(await s.until(() => true), 'token_missing');
  });

  test('CONNECT with a token brings 40{"sid"} and nothing else', async () => {
    const w = await Wire.open(pod);
    w.send(`40${pod.auth()}`);
    const f = await w.next();
    assert.match(f, /^40\{"sid":"[\w-]{20}"(,"pid":"[\w-]+")?\}$/);
    assert.notEqual(JSON.parse(f.slice(2)).sid, w.engine, 'the sid is not the Engine.IO sid');
  });

  test('CONNECT to "/" by its name', async () => {
    const w = await Wire.open(pod);
    w.send(`40/,${pod.auth()}`);
    assert.match(await w.next(), /^40\{"sid"/);
    await w.answers();
  });

  test('over polling, and the sid differs from the Engine.IO sid', async () => {
    const s = await Polling.open(pod);
    assert.notEqual(await s.join(), s.sid);
  });

  test('every CONNECT has a sid of its own', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => Wire.joined(pod)));
    assert.equal(new Set(all.map((w) => w.sid)).size, 20);
  });

  test('a second CONNECT after a refusal is let in', async () => {
    const w = await Wire.open(pod);
    w.send('40');
    assertRefused(await w.next(), 'token_missing');
    w.send('40{"token":"nonsense"}');
    assertRefused(await w.next(), 'token_malformed');
    await w.join();
    await w.answers();
  });

  test('a repeated CONNECT closes', async () => {
    const w = await Wire.joined(pod);
    w.send(`40${pod.auth()}`);
    assert.equal((await w.ended()).code, 1005);
  });

  test('an unknown namespace is refused by name, before and after CONNECT, and the connection goes on', async () => {
    const w = await Wire.open(pod);
    for (let i = 0; i < 2; i++) {
      for (const [frame, answer] of [
        ['40/foo', '44/foo,{"message":"Invalid namespace"}'], ['40/foo,', '44/foo,{"message":"Invalid namespace"}'],
        [`40/foo/bar,${pod.auth()}`, '44/foo/bar,{"message":"Invalid namespace"}'], ['40/__proto__,{}', '44/__proto__,{"message":"Invalid namespace"}'],
      ]) {
        w.send(frame);
        assert.equal(await w.next(), answer);
      }
      if (i === 0) await w.join();
      else await w.answers();
    }
  });

  for (const frame of ['42["typing",{}]', '421["typing",{}]', '43["x"]', '431[1]', '41', '44{"message":"x"}', '41/foo,', '42/foo,["x"]', '4abc']) {
    test(`${frame} before CONNECT closes`, async () => {
      const w = await Wire.open(pod);
      w.send(frame);
      assert.equal((await w.ended()).code, 1005);
      assert.deepEqual(w.frames, []);
    });
  }

  test('an event of a namespace not joined closes', async () => {
    const w = await Wire.joined(pod);
    w.send('42/foo,["typing",{}]');
    assert.equal((await w.ended()).code, 1005);
  });

  test('CONNECT_ERROR from a client closes', async () => {
    const w = await Wire.joined(pod);
    w.send('44{"message":"x"}');
    assert.equal((await w.ended()).code, 1005);
  });

  test('DISCONNECT leaves, and CONNECT on the same transport joins again with a new sid', async () => {
    const w = await Wire.joined(pod);
    w.send('41', '40/foo'); // Node takes 40 in the same tick as 41 for a repeated CONNECT: wait for an answer between
    await w.next((f) => f.startsWith('44/foo'));
    const sid = await w.join();
    assert.notEqual(sid, w.sid);
    await w.answers();
  });

  test('nothing is delivered after DISCONNECT', async () => {
    const w = await Wire.joined(pod);
    w.send('41', '40/foo');
    await w.next((f) => f.startsWith('44/foo'));
    await pod.say('not for those who left');
    const other = await Wire.joined(pod);
    await pod.say('the last');
    await other.next((f) => f.includes('the last'));
    w.send('40/foo');
    await w.next((f) => f.startsWith('44/foo'));
    assert.deepEqual(w.frames, []);
  });

  test('DISCONNECT and CONNECT over polling', async () => {
    const s = await Polling.open(pod);
    const first = await s.join();
    await s.say('41');
    assert.notEqual(await s.join(), first);
  });
});

// The tests wait beside each other.
describe('with CONNECT_TIMEOUT', { concurrency: true }, () => {
  const pod = usePod(hasty);
  const beating = usePod({ ...hasty, PING_INTERVAL: `${PING_INTERVAL}ms` });
  after(closeWires);

  const inTime = (at, act) => promptly(CONNECT_TIMEOUT, () => Wire.open(at), act);

  async function joined(at = pod) {
    const { it } = await inTime(at, (w) => w.send(`40${at.auth()}`));
    assert.match(await it.next(), /^40\{"sid"/);
    return it;
  }

  // Waits for a connection that is opened now to be closed for want of a CONNECT.
  async function passed(at = pod) {
    const idle = await Wire.open(at);
    await idle.ended(CONNECT_TIMEOUT + slack);
  }

  test('a connection without CONNECT is closed after it, not before', async () => {
    const from = performance.now();
    const w = await Wire.open(pod);
    await w.ended(CONNECT_TIMEOUT + slack);
    assertNotBefore(from, CONNECT_TIMEOUT);
  });

  test('a refused one too', async () => {
    const { it: w, from } = await inTime(pod, (it) => it.send('40'));
    assertRefused(await w.next(), 'token_missing');
    await w.ended(CONNECT_TIMEOUT + slack);
    assertNotBefore(from, CONNECT_TIMEOUT);
  });

  test('over polling the waiting GET gets 1', async () => {
    const { it: s, from } = await promptly(CONNECT_TIMEOUT, () => Polling.open(pod), (it) => { it.waiting = it.get(CONNECT_TIMEOUT + slack); });
    const res = await s.waiting;
    assert.deepEqual([res.status, res.text], [200, '1']);
    assertNotBefore(from, CONNECT_TIMEOUT);
    await s.assertGone();
  });

  test('one that has joined stays', async () => {
    const w = await joined();
    await passed();
    await w.answers();
  });

  test('one that has joined and left stays too: its heart beats, and it may join again', async () => {
    const w = await joined(beating);
    w.send('41');
    await passed(beating);
    const seen = w.all.length;
    await waitFor(() => w.all.length > seen || w.closed, PING_INTERVAL + slack, 'a ping');
    assert.deepEqual([w.closed, w.all.at(-1), w.frames], [undefined, '2', []]);
    await w.join();
    await w.answers();
  });
});
