// A pod that dies and a Redis that goes away and comes back, seen from the other pod. Contract 7.4 and 7.5.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { ms } from './harness/settings.mjs';
import { token } from './harness/token.mjs';
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

test('who was let in or shown the door while one pod heard nobody: it is made good there, and told', { timeout: 60_000 }, async () => {
  const [alice, carol, dave] = [objectId(), objectId(), objectId()];
  const [chatId, still] = [await w.chat(alice, carol), await w.chat(alice, carol, dave)];
  const gate = await w.gate([{ port: w.redisServer.port }]);
  const deaf = await w.pod({ REDIS_URL: `redis://127.0.0.1:${gate.port}` });
  const [c, d] = [await w.connect(deaf, carol), await w.connect(deaf, dave)];
  const before = await w.said(w.pods[0], alice, chatId, 'before');
  await c.has(before._id);
  const pods = async () => (await w.redis.pubsub('NUMSUB', 'socket.io-request#/#'))[1];
  const all = await pods();

  await gate.shut();
  await waitFor(async () => await pods() === all - 1, 10_000, 'Redis to notice');
  const gone = await api(w.pods[0], 'DELETE', `/api/chats/${chatId}/participants/${carol}`, { token: token(alice) });
  assert.equal(gone.status, 200, gone.body);
  const come = await api(w.pods[0], 'POST', `/api/chats/${chatId}/participants`, { token: token(alice), body: { userId: dave } });
  assert.equal(come.status, 200, come.body);
  const meanwhile = await w.said(w.pods[0], alice, chatId, 'meanwhile');
  await gate.open();

  await d.has(meanwhile._id, 20_000);
  assert.equal((await d.saw('chat_joined')).chat._id, chatId);
  assert.deepEqual(await c.saw('chat_left'), { chatId });
  const after = await w.said(deaf, alice, chatId, 'after');
  await d.has(after._id);
  // What was said in the moments before nobody was heard may be told to him, too.
  assert.deepEqual(d.ids().filter((id) => id !== before._id), [meanwhile._id, after._id]);
  await w.settle(w.pods[0], alice, still, c, d);
  assert.equal(c.ids()[0], before._id);
  assert.equal(c.messages.length, 2, 'she is out, and hears nothing more of it');
});
