// Sent again: what came while a user had no socket comes on the next connect, oldest first, each once. Contract 1.6 and 7.3.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libs } from './harness/clients.mjs';
import { file, mp4, png } from './harness/fixtures.mjs';
import { api, post } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { ms } from './harness/settings.mjs';
import { token } from './harness/token.mjs';
import { sleep, waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

let tight;
let together; // two pods on which devices may take their time to come together
const w = useWorld({ pods: 2, env: { REPLAY_GRACE: ms(1500) } }, async () => {
  [tight, ...together] = await Promise.all([{ REPLAY_LIMIT: 10 }, ...Array(2).fill({ REPLAY_GRACE: '20s' })].map((env) => w.pod(env)));
});

// A user who was here, has everything that was sent, and leaves. What a poll brought counts as received when
// the next poll asks for more; an ack is proof that it did.
async function leave(user, ...clients) {
  for (const c of clients) {
    if (c.transport === 'polling') await c.ask('typing', {});
    c.close();
  }
  await w.present(user);
}

for (const lib of libs) {
  test(`${lib}: away, then back on the other pod: all of it, in order, before anything newer`, { timeout: 30_000 }, async () => {
    const [alice, bob] = [objectId(), objectId()];
    const [one, two] = [await w.chat(alice, bob), await w.chat(alice, bob)];
    const foreign = await w.chat(alice, objectId());
    const first = await w.connect(w.pods[0], bob, { lib });
    const early = await w.settle(w.pods[0], alice, one, first);
    await leave(bob, first);
    const want = [];
    for (let i = 0; i < 12; i++) {
      const chatId = i % 3 ? one : two;
      const res = i % 4 === 3
        ? await post(w.pods[i % 2], token(alice), { chatId, text: `t${i}`, files: [file('a.png', 'image/png', png()), file('b.mp4', 'video/mp4', mp4())] })
        : await w.say(w.pods[i % 2], alice, chatId, `t${i}`);
      assert.equal(res.status, 201, res.body);
      want.push(...res.json.messages);
      await w.said(w.pods[0], alice, foreign, 'not for bob');
    }
    const back = w.client(w.pods[1], bob, { lib });
    const newer = [];
    back.socket.on('connect', () => newer.push(w.said(w.pods[1], alice, one, 'newer'), w.said(w.pods[0], alice, two, 'newer')));
    await back.connected();
    await back.got(want.length + 2);
    const late = await Promise.all(newer);
    assert.deepEqual(back.ids().slice(0, want.length), want.map((m) => m._id));
    assert.deepEqual(back.ids().slice(want.length).sort(), late.map((m) => m._id).sort());
    assert.equal(back.ids().includes(early._id), false);
    // The payloads are those of a live message, to the letter.
    want.forEach((m, i) => {
      const live = m.fileUrl
        ? { _id: m._id, chatId: m.chatId, senderId: m.senderId, createdAt: m.createdAt, type: m.type, fileUrl: m.fileUrl }
        : { _id: m._id, chatId: m.chatId, senderId: m.senderId, createdAt: m.createdAt, content: m.textMessage };
      assert.deepEqual(back.messages[i], live);
    });
    await leave(bob, back);
    const third = await w.connect(w.pods[0], bob, { lib });
    const mark = await w.settle(w.pods[0], alice, one, third);
    assert.deepEqual(third.ids(), [mark._id], 'sent again a second time');
  });
}

test('a user who never connected gets what came since', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const sent = [];
  for (let i = 0; i < 5; i++) sent.push((await w.said(w.pods[0], alice, chatId, `m${i}`))._id);
  const c = await w.connect(w.pods[1], bob);
  await c.got(5);
  const mark = await w.settle(w.pods[1], alice, chatId, c);
  assert.deepEqual(c.ids(), [...sent, mark._id]);
});

test('what is older than Parley on this database is not poured out', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const old = new Date(Date.now() - 86_400_000);
  await w.Message.insertMany(Array.from({ length: 5 }, (_, i) => ({ chatId, senderId: alice, textMessage: `old ${i}`, createdAt: old, updatedAt: old })), { timestamps: false });
  const c = await w.connect(w.pods[0], bob);
  const mark = await w.settle(w.pods[0], alice, chatId, c);
  assert.deepEqual(c.ids(), [mark._id]);
});

test('one\'s own messages, sent over REST while away, come too: other devices wrote them', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const first = await w.connect(w.pods[0], bob);
  await leave(bob, first);
  const m = await w.said(w.pods[0], bob, chatId, 'from a script');
  const c = await w.connect(w.pods[0], bob);
  await c.has(m._id);
  assert.equal(c.messages.length, 1);
});

test('REPLAY_LIMIT: the newest of them, oldest first; history has the rest', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const first = await w.connect(tight, bob);
  const seen = [];
  for (let i = 0; i < 3; i++) seen.push((await w.settle(tight, alice, chatId, first))._id);
  await leave(bob, first);
  const sent = [];
  for (let i = 0; i < 25; i++) sent.push((await w.said(w.pods[0], alice, chatId, `m${i}`))._id);
  const c = await w.connect(tight, bob);
  const mark = await w.settle(tight, alice, chatId, c);
  assert.deepEqual(c.ids(), [...sent.slice(-10), mark._id]);
  const history = await api(tight, 'GET', `/api/chats/${chatId}/messages?limit=100`, { token: token(bob) });
  assert.deepEqual(history.json.messages.map((m) => m._id), [...seen, ...sent, mark._id].reverse());
});

test('three devices at once on two pods: each message once to each', { timeout: 40_000 }, async () => {
  for (let round = 0; round < 8; round++) {
    const [alice, bob] = [objectId(), objectId()];
    const chatId = await w.chat(alice, bob);
    if (round % 2) await leave(bob, await w.connect(together[0], bob));
    const sent = [];
    for (let i = 0; i < 6; i++) sent.push((await w.said(together[i % 2], alice, chatId, `m${i}`))._id);
    const devices = await Promise.all([0, 1, 1].map((p, i) => w.connect(together[p], bob, { lib: libs[i], transports: i === 2 ? ['polling'] : ['websocket'] })));
    const mark = await w.settle(together[0], alice, chatId, ...devices);
    for (const c of devices) assert.deepEqual(c.ids(), [...sent, mark._id], `round ${round}`);
    for (const c of devices) c.close();
  }
});

test('a device that comes later, while another is there, gets nothing old', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  await leave(bob, await w.connect(w.pods[0], bob));
  for (let i = 0; i < 4; i++) await w.said(w.pods[0], alice, chatId, `m${i}`);
  const first = await w.connect(w.pods[0], bob);
  await first.got(4);
  await sleep(2_000); // longer than REPLAY_GRACE
  const second = await w.connect(w.pods[1], bob);
  const mark = await w.settle(w.pods[1], alice, chatId, first, second);
  assert.deepEqual(second.ids(), [mark._id]);
  assert.equal(first.messages.length, 5);
});

test('posts that race the reconnect: each exactly once, over 30 rounds', { timeout: 120_000 }, async () => {
  const [alice, carol, bob] = [objectId(), objectId(), objectId()];
  const chatId = await w.chat(alice, bob, carol);
  await leave(bob, await w.connect(w.pods[0], bob));
  const posted = { [alice]: [], [carol]: [] };
  const got = [];
  const where = new Map(); // id to where it came
  let replayed = 0;
  for (let round = 0; round < 30; round++) {
    let running = true;
    const before = posted[alice].length + posted[carol].length;
    const stream = async (user, pod) => { while (running) posted[user].push((await w.said(pod, user, chatId, `r${round}`))._id); };
    const streams = [stream(alice, w.pods[0]), stream(carol, w.pods[1])];
    await waitFor(() => posted[alice].length + posted[carol].length >= before + 2 + (round % 4));
    const away = posted[alice].length + posted[carol].length;
    const c = await w.connect(w.pods[round % 2], bob, { lib: libs[round % 3], transports: round % 6 === 5 ? ['polling'] : ['websocket'] });
    await waitFor(() => posted[alice].length + posted[carol].length >= away + 4);
    running = false;
    await Promise.all(streams);
    const total = posted[alice].length + posted[carol].length - before;
    await waitFor(() => c.messages.length >= total, 5_000, () => `round ${round}: ${c.messages.length} of ${total}`);
    const marks = [await w.settle(w.pods[0], alice, chatId, c), await w.settle(w.pods[1], alice, chatId, c)];
    posted[alice].push(...marks.map((m) => m._id));
    const twice = c.ids().map((id, i) => [id, i, where.get(id)]).filter(([id, i]) => where.has(id) || c.ids().indexOf(id) !== i);
    assert.deepEqual(twice, [], `round ${round}, which began with ${away - before} missed: [id, place, where before]`);
    c.ids().forEach((id, i) => where.set(id, `round ${round}, ${i + 1} of ${c.messages.length}, ${c.firstTransport}`));
    got.push(...c.ids());
    replayed += away - before;
    await leave(bob, c);
  }
  const all = [...posted[alice], ...posted[carol]];
  assert.ok(replayed >= 60 && all.length >= 180);
  assert.deepEqual(got.slice().sort(), all.slice().sort());
  for (const user of [alice, carol]) {
    const mine = new Set(posted[user]);
    assert.deepEqual(got.filter((id) => mine.has(id)), posted[user], 'one sender\'s order');
  }
});

test('a lost connection: the client comes back by itself and misses nothing', { timeout: 60_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const gate = await w.gate([{ port: new URL(w.pods[0].url).port }]);
  const c = await w.connect(w.pods[0], bob, { url: `http://127.0.0.1:${gate.port}` });
  const sent = [];
  for (let round = 0; round < 10; round++) {
    await gate.shut();
    await w.present(bob);
    for (let i = 0; i < 3; i++) sent.push((await w.said(w.pods[i % 2], alice, chatId, `away ${round}.${i}`))._id);
    await gate.open();
    await waitFor(() => c.connects === round + 2, 10_000, 'the reconnect');
    sent.push((await w.said(w.pods[1], alice, chatId, `here ${round}`))._id);
    await c.got(sent.length);
  }
  await w.settle(w.pods[0], alice, chatId, c);
  assert.deepEqual(c.ids().slice(0, -1), sent);
  assert.equal(c.disconnects.length, 10);
});

test('a page that is reloaded: the new socket gets what the old one missed and nothing it had', { timeout: 60_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  let page = await w.connect(together[0], bob);
  for (let round = 0; round < 15; round++) {
    const seen = await w.said(together[0], alice, chatId, `seen ${round}`);
    await page.has(seen._id);
    // Over polling, the last answer counts as heard once the next poll comes.
    await page.socket.timeout(5_000).emitWithAck('typing', { chatId, isTyping: false });
    // A browser closes the old page's connection and opens the new one without waiting; a slow one comes later.
    page.close();
    if (round % 3 === 0) await w.present(bob);
    page = w.client(together[round % 2], bob);
    await page.connected();
    const next = await w.said(together[1], alice, chatId, `next ${round}`);
    await page.has(next._id);
    assert.equal(page.ids().includes(seen._id), false, `round ${round}: sent to the new page what the old one had`);
    assert.deepEqual(page.ids(), [next._id]);
    // Nobody reloads twice while the first old page is still on its way out.
    await w.present(bob, page.id);
    await waitFor(async () => !(await w.redis.hexists(`parley:absence:${bob}`, 'by')), 3_000, 'the departure to be forgotten');
  }
});

test('what another device had, moments ago, is not sent again either', { timeout: 30_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const first = await w.connect(w.pods[0], bob);
  const m = await w.said(w.pods[0], alice, chatId, 'seen on the first');
  await first.has(m._id);
  await sleep(1_700); // longer than REPLAY_GRACE: the second device is sent nothing old
  const second = await w.connect(w.pods[1], bob);
  const beside = await w.settle(w.pods[1], alice, chatId, first, second);
  assert.deepEqual(second.ids(), [beside._id]);
  first.close();
  await w.present(bob, second.id);
  await leave(bob, second);
  const missed = await w.said(w.pods[0], alice, chatId, 'missed');
  const third = await w.connect(w.pods[0], bob);
  const mark = await w.settle(w.pods[0], alice, chatId, third);
  assert.deepEqual(third.ids(), [missed._id, mark._id]);
});

test('a post into the gap of a reload is not lost', { timeout: 40_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  let page = await w.connect(w.pods[0], bob);
  for (let round = 0; round < 15; round++) {
    page.close();
    await w.present(bob);
    const gap = w.said(w.pods[round % 2], alice, chatId, `gap ${round}`);
    page = await w.connect(w.pods[(round >> 1) % 2], bob);
    const m = await gap;
    await page.has(m._id);
    await w.settle(w.pods[0], alice, chatId, page);
    assert.deepEqual(page.ids().filter((id) => id === m._id).length, 1);
    assert.equal(page.messages.length, 2);
  }
});

test('a chat that was left while away is not sent again; one that was joined is', { timeout: 20_000 }, async () => {
  const [alice, bob, carol] = [objectId(), objectId(), objectId()];
  const left = await w.chat(alice, bob, carol);
  const joined = await w.chat(alice, carol);
  await leave(bob, await w.connect(w.pods[0], bob));
  await w.said(w.pods[0], alice, left, 'secret by now');
  const gone = await api(w.pods[0], 'DELETE', `/api/chats/${left}/participants/${bob}`, { token: token(alice) });
  assert.equal(gone.status, 200, gone.body);
  assert.equal((await api(w.pods[1], 'POST', `/api/chats/${joined}/participants`, { token: token(alice), body: { userId: bob } })).status, 200);
  const m = await w.said(w.pods[0], alice, joined, 'hello bob');
  const c = await w.connect(w.pods[1], bob);
  await c.has(m._id);
  await w.settle(w.pods[1], alice, joined, c);
  assert.deepEqual(c.texts().filter((t) => /secret/.test(t)), []);
});
