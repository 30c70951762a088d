// Many at once: everything stored exactly once and delivered exactly once, in each sender's order. Contract 7.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectId } from './harness/models.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 2, env: { REQUEST_TIMEOUT: '30s' } });

test('1,000 concurrent posts by five senders through two pods', { timeout: 120_000 }, async () => {
  const senders = Array.from({ length: 5 }, objectId);
  const bob = objectId();
  const chatId = await w.chat(...senders, bob);
  const sockets = [await w.connect(w.pods[0], bob), await w.connect(w.pods[1], bob), await w.connect(w.pods[1], senders[0], { transports: ['polling'] })];
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => w.say(w.pods[i % 2], senders[i % 5], chatId, `n${i}`)));
  const wrong = answers.filter((r) => r.status !== 201);
  assert.equal(wrong.length, 0, `${wrong.length} refused, the first: ${wrong[0]?.status} ${wrong[0]?.body}`);
  const ids = answers.map((r) => r.json.messages[0]._id);
  assert.equal(new Set(ids).size, 1000);
  const stored = await w.stored(chatId);
  assert.deepEqual(stored.map((m) => m._id.toString()).sort(), ids.slice().sort());
  assert.deepEqual(stored.map((m) => m.textMessage).sort(), Array.from({ length: 1000 }, (_, i) => `n${i}`).sort());
  for (const c of sockets) await waitFor(() => c.messages.length >= 1000, 15_000, () => `${c.messages.length} of 1000`);
  await w.settle(w.pods[0], senders[0], chatId, ...sockets);
  await w.settle(w.pods[1], senders[0], chatId, ...sockets);
  for (const c of sockets) {
    assert.equal(c.messages.length, 1002);
    assert.deepEqual(c.ids().filter((id) => ids.includes(id)).sort(), ids.slice().sort());
    assert.deepEqual([c.connects, c.disconnects], [1, []]);
  }
});

// Each sender waits for an answer before the next post, as a frontend's send queue does.
for (const [name, pick] of [['through one pod each', (user) => user], ['through the pods in turn', (user, i) => i]]) {
  test(`four senders' orders are kept at every socket, ${name}`, { timeout: 120_000 }, async () => {
    const senders = Array.from({ length: 4 }, objectId);
    const bob = objectId();
    const chatId = await w.chat(...senders, bob);
    const sockets = [await w.connect(w.pods[0], bob), await w.connect(w.pods[1], bob), await w.connect(w.pods[0], senders[1], { transports: ['polling'] })];
    const sent = await Promise.all(senders.map(async (user, s) => {
      const ids = [];
      for (let i = 0; i < 60; i++) ids.push((await w.said(w.pods[pick(s, i) % 2], user, chatId, `s${s} m${i}`))._id);
      return ids;
    }));
    const stored = (await w.stored(chatId)).map((m) => m._id.toString());
    for (const c of sockets) await c.got(240);
    for (const [s, ids] of sent.entries()) {
      assert.equal(ids.length, 60);
      assert.deepEqual(stored.filter((id) => ids.includes(id)), ids, 'stored order');
      for (const [k, c] of sockets.entries()) {
        const got = c.ids().filter((id) => ids.includes(id));
        const at = got.findIndex((id, i) => id !== ids[i]);
        assert.deepEqual(got, ids, `sender ${s} at socket ${k}: differs from place ${at}`);
      }
    }
  });
}

test('one sender, twenty posts at once again and again: arrival is the stored order', { timeout: 40_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const sockets = [await w.connect(w.pods[0], bob), await w.connect(w.pods[1], bob)];
  for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 20 }, (_, i) => w.said(w.pods[0], alice, chatId, `r${round} ${i}`)));
  const stored = (await w.stored(chatId)).map((m) => m._id.toString());
  assert.equal(stored.length, 100);
  for (const c of sockets) {
    await c.got(100);
    assert.deepEqual(c.ids(), stored);
  }
});

test('a slow reader costs the others nothing', { timeout: 40_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const slow = await w.connect(w.pods[0], bob);
  const quick = await w.connect(w.pods[0], bob);
  // The slow one's kernel buffers fill up: it reads nothing any more.
  slow.socket.io.engine.transport.ws._socket.pause();
  const text = 'x'.repeat(200_000);
  const start = performance.now();
  for (let i = 0; i < 60; i++) await w.said(w.pods[0], alice, chatId, text);
  await quick.got(60);
  assert.ok(performance.now() - start < 30_000);
  assert.equal(quick.connects, 1);
  slow.socket.io.engine.transport?.ws?._socket?.resume();
});
