// A pod that dies and a Redis that goes away and comes back, seen from the other pod. Contract 7.4 and 7.5.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectId } from './harness/models.mjs';
import { ms } from './harness/settings.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const ttl = 10_000;
const w = useWorld({ pods: 2, gates: true, env: { PRESENCE_TTL: ms(ttl), REDIS_TIMEOUT: ms(500) } });

test('a pod that is killed leaves no ghost: its users are offline within PRESENCE_TTL, told once', { timeout: 60_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const a = await w.connect(w.pods[0], alice);
  const dying = await w.pod();
  const b = await w.connect(dying, bob, { reconnection: false });
  await w.present(bob, b.id);
  const killed = Date.now();
  await dying.program.kill();
  await a.saw('user_offline', (e) => e.userId === bob, 2 * ttl);
  const took = Date.now() - killed;
  assert.ok(took < ttl + 1_000, `offline after ${took} ms`);
  await w.present(bob);
  // Sent while bob was nowhere, and to his dead socket before: both come when he returns.
  const missed = await w.said(w.pods[0], alice, chatId, 'missed');
  const back = await w.connect(w.pods[1], bob);
  await back.has(missed._id);
  const offline = a.events.filter(([name, e]) => name === 'user_offline' && e.userId === bob);
  assert.equal(offline.length, 1, JSON.stringify(offline));
});

test('Redis away: the other pod\'s sockets get what they missed once it is back, each once, in order', { timeout: 60_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const near = await w.connect(w.pods[0], bob);
  const far = await w.connect(w.pods[1], bob);
  const sent = [(await w.said(w.pods[0], alice, chatId, 'before'))._id];
  await far.has(sent[0]);
  await w.redisGate.shut();
  try {
    for (let i = 0; i < 5; i++) {
      const m = await w.said(w.pods[0], alice, chatId, `away ${i}`);
      sent.push(m._id);
      await near.has(m._id);
    }
    assert.deepEqual(far.ids(), [sent[0]], 'nothing can have come yet');
  } finally {
    await w.redisGate.open();
  }
  await waitFor(() => sent.every((id) => far.ids().includes(id)), 20_000, () => `the other pod: ${far.ids().length} of ${sent.length}`);
  const last = await w.said(w.pods[0], alice, chatId, 'after');
  for (const c of [near, far]) {
    await c.has(last._id);
    assert.deepEqual(c.ids(), [...sent, last._id]);
  }
});
