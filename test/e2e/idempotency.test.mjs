// Idempotency-Key: a retry is safe, for ever. Contract 4.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { file, png } from './harness/fixtures.mjs';
import { post } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { sleep } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 2 });
const key = () => `key-${objectId()}`;

// A well-behaved client: told that the first try is still running, it asks again.
async function patient(pod, t, body) {
  for (let tries = 0; tries < 40; tries++) {
    const res = await post(pod, t, body);
    if (res.status !== 409 || res.code !== 'in_progress') return res;
    await sleep(25);
  }
  throw new Error('in_progress for ever');
}

test('the same key again: the same answer, stored once, emitted once', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const listeners = [await w.connect(w.pods[0], bob), await w.connect(w.pods[1], bob)];
  const files = [file('a.png', 'image/png', png()), file('b.png', 'image/png', png())];
  const body = { chatId, text: 'once', files, key: key() };
  const first = await post(w.pods[0], token(alice), body);
  assert.equal(first.status, 201, first.body);
  assert.equal(first.json.messages.length, 3);
  const kept = w.files();
  for (const pod of [w.pods[0], w.pods[1], w.pods[0]]) {
    const again = await post(pod, token(alice), body);
    assert.equal(again.status, 201, again.body);
    assert.deepEqual(again.json, first.json);
  }
  await w.settle(w.pods[0], alice, chatId, ...listeners);
  await w.settle(w.pods[1], alice, chatId, ...listeners);
  for (const c of listeners) assert.equal(c.messages.length, 5);
  assert.equal((await w.stored(chatId)).length, 5);
  assert.deepEqual(w.files(), kept, 'the retries\' files are not kept');
});

test('the same key ten times at once on two pods: one message', { timeout: 40_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const listeners = [await w.connect(w.pods[0], bob), await w.connect(w.pods[1], bob)];
  for (let round = 0; round < 6; round++) {
    const body = { chatId, text: `round ${round}`, key: key(), files: round % 2 ? [file('a.png', 'image/png', png())] : [] };
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => patient(w.pods[i % 2], token(alice), body)));
    for (const r of answers) {
      assert.equal(r.status, 201, r.body);
      assert.deepEqual(r.json, answers[0].json);
    }
  }
  await w.settle(w.pods[0], alice, chatId, ...listeners);
  await w.settle(w.pods[1], alice, chatId, ...listeners);
  const stored = await w.stored(chatId);
  assert.equal(stored.length, 6 + 3 + 2);
  for (const c of listeners) {
    assert.equal(c.messages.length, 11);
    assert.equal(new Set(c.ids()).size, 11);
  }
});

test('ten different keys and ten posts without one: twenty messages', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => post(w.pods[i % 2], token(alice), { chatId, text: 'same words', key: i < 10 ? key() : undefined })));
  assert.deepEqual([...new Set(answers.map((r) => r.status))], [201]);
  assert.equal(new Set(answers.map((r) => r.json.messages[0]._id)).size, 20);
  assert.equal((await w.stored(chatId)).length, 20);
});

test('the same key by another sender is another message', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const k = key();
  const a = await post(w.pods[0], token(alice), { chatId, text: 'mine', key: k });
  const b = await post(w.pods[1], token(bob), { chatId, text: 'mine too', key: k });
  assert.deepEqual([a.status, b.status], [201, 201]);
  assert.notEqual(a.json.messages[0]._id, b.json.messages[0]._id);
  assert.equal(b.json.messages[0].senderId, bob);
  assert.equal((await w.stored(chatId)).length, 2);
});

test('a refused request does not use its key up', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const k = key();
  const refused = [
    await post(w.pods[0], token(alice), { chatId, text: '', key: k }),
    await post(w.pods[0], token(alice), { chatId: objectId(), text: 'x', key: k }),
    await post(w.pods[1], token(alice), { chatId, text: 'x', key: k, files: [file('a.png', 'image/png', Buffer.from('no picture'))] }),
  ];
  assert.deepEqual(refused.map((r) => r.status), [400, 404, 415]);
  const ok = await post(w.pods[1], token(alice), { chatId, text: 'now', key: k });
  assert.equal(ok.status, 201, ok.body);
  const again = await post(w.pods[0], token(alice), { chatId, text: 'now', key: k });
  assert.deepEqual(again.json, ok.json);
  assert.equal((await w.stored(chatId)).length, 1);
});

test('odd keys', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  for (const k of ['0', 'a b c', '{"$gt":""}', '../../x', 'ÿ', 'k'.repeat(200)]) {
    const [one, two] = [await post(w.pods[0], token(alice), { chatId, text: 'x', key: k }), await post(w.pods[1], token(alice), { chatId, text: 'x', key: k })];
    assert.deepEqual([one.status, two.status], [201, 201], k);
    assert.deepEqual(one.json, two.json, k);
  }
  assert.equal((await w.stored(chatId)).length, 6);
});

