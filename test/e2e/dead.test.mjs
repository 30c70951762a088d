// A page that comes while a dead connection of its user still counts as online: nobody has noticed that it is dead, and
// what went into it would come nowhere. Contract 7.3.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libs } from './harness/clients.mjs';
import { objectId } from './harness/models.mjs';
import { rawSocket } from './harness/raw.mjs';
import { token } from './harness/token.mjs';
import { useWorld } from './harness/world.mjs';

// Heartbeats that notice nothing within the test.
const w = useWorld({ pods: 2, env: { PING_INTERVAL: '60s', PING_TIMEOUT: '60s', REPLAY_GRACE: '300ms' } });

// A connection that takes what it is sent and says nothing any more.
async function dying(pod, user) {
  const s = await rawSocket(pod, { answerPings: false });
  s.send(`40${JSON.stringify({ token: token(user) })}`);
  const { sid } = JSON.parse((await s.next((p) => p.startsWith('40'))).slice(2));
  return { ...s, id: sid };
}

for (const lib of libs) {
  for (const [where, at] of [['the same pod', 0], ['another pod', 1]]) {
    test(`${lib}: a fresh page beside a dead connection on ${where} is sent what went into that, once`, { timeout: 30_000 }, async () => {
      const [alice, bob] = [objectId(), objectId()];
      const chatId = await w.chat(alice, bob);
      const dead = await dying(w.pods[at], bob);
      await w.present(bob, dead.id);
      await new Promise((resolve) => { setTimeout(resolve, 400); }); // beyond REPLAY_GRACE
      const lost = await w.said(w.pods[0], alice, chatId, 'into the dead one');
      const began = Date.now();
      const page = await w.connect(w.pods[0], bob, { lib });
      assert.ok(Date.now() - began < 900, 'connect waited for the answer');
      const live = await w.said(w.pods[1], alice, chatId, 'live');
      await page.has(lost._id, 10_000);
      await page.has(live._id, 10_000);
      assert.deepEqual(page.texts(), ['into the dead one', 'live']);
      await w.present(bob, page.id);
      assert.ok(dead.received.some((p) => p.includes('into the dead one')), 'it had reached the dead one\'s connection');
    });
  }
}

test('beside a device that answers nothing is sent again, and what is live comes to both', { timeout: 30_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const phone = await w.connect(w.pods[1], bob);
  await new Promise((resolve) => { setTimeout(resolve, 400); });
  const had = await w.said(w.pods[0], alice, chatId, 'on the phone');
  await phone.has(had._id);
  const desktop = await w.connect(w.pods[0], bob);
  const live = await w.said(w.pods[0], alice, chatId, 'to both');
  await Promise.all([phone, desktop].map((c) => c.has(live._id, 10_000)));
  assert.deepEqual(phone.texts(), ['on the phone', 'to both']);
  assert.deepEqual(desktop.texts(), ['to both']);
  await w.present(bob, phone.id, desktop.id);
});
