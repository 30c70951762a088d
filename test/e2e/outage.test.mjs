// MongoDB or Redis away: refused clearly, nothing half done, and all well once they are back. Contract 3, 4 and 7.5.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libs } from './harness/clients.mjs';
import { file, png } from './harness/fixtures.mjs';
import { api, post } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { ms } from './harness/settings.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 1, gates: true, env: { REQUEST_TIMEOUT: ms(2000), PRESENCE_TTL: ms(5000), REDIS_TIMEOUT: ms(500) } });
const ready = async (status) => waitFor(async () => (await api(w.pods[0], 'GET', '/readyz')).status === status, 20_000, `readyz ${status}`);

async function during(gate, fn) {
  await gate.shut();
  try { await fn(); } finally { await gate.open(); }
  await ready(200);
}

test('MongoDB away: a post is 503, retriable, stores and leaves nothing, and works later', { timeout: 50_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const b = await w.connect(w.pods[0], bob);
  await w.said(w.pods[0], alice, chatId, 'before');
  const files = w.files();
  await during(w.mongoGate, async () => {
    await ready(503);
    const answers = await Promise.all([
      w.say(w.pods[0], alice, chatId, 'lost'),
      post(w.pods[0], token(alice), { chatId, text: 'lost', files: [file('a.png', 'image/png', png()), file('b.png', 'image/png', png())] }),
      post(w.pods[0], token(alice), { chatId, text: 'lost', key: 'outage' }),
      api(w.pods[0], 'GET', '/api/chats', { token: token(alice) }),
      api(w.pods[0], 'GET', `/api/chats/${chatId}/messages`, { token: token(alice) }),
      api(w.pods[0], 'POST', '/api/chats', { token: token(alice), body: { participants: [alice, bob] } }),
    ]);
    for (const r of answers) assert.deepEqual([r.status, r.code], [503, 'unavailable'], r.body);
    assert.match(answers[0].headers.get('retry-after') ?? '', /^\d+$/);
    await waitFor(() => w.files().length === files.length, 3_000, 'the uploads to go');
    assert.equal((await api(w.pods[0], 'GET', '/healthz')).status, 200, 'alive all the same');
  });
  const retried = await waitFor(async () => { const r = await post(w.pods[0], token(alice), { chatId, text: 'again', key: 'outage' }); return r.status === 201 && r; }, 20_000, 'the retry with the same key');
  await b.has(retried.json.messages[0]._id);
  assert.deepEqual(b.texts(), ['before', 'again']);
  assert.deepEqual((await w.stored(chatId)).map((m) => m.textMessage), ['before', 'again']);
});

for (const what of ['mongoGate', 'redisGate']) {
  for (const lib of libs) {
    test(`${what}: ${lib} connecting meanwhile is told "unavailable", leaves nothing, and gets in later`, { timeout: 50_000 }, async () => {
      const me = objectId();
      const other = objectId();
      const chatId = await w.chat(me, other);
      let c;
      await during(w[what], async () => {
        c = w.client(w.pods[0], me, { lib });
        // Stock clients do not come back from a refusal by themselves; a frontend does this.
        c.socket.on('connect_error', (err) => { if (err.data?.code === 'unavailable') setTimeout(() => c.socket.connect(), 500); });
        await waitFor(() => c.errors.some((e) => e.data) || c.connects, 20_000, 'connect_error');
        assert.equal(c.connects, 0);
        const { data } = c.errors.find((e) => e.data);
        assert.equal(data.code, 'unavailable');
        assert.match(data.message, /\S/);
        assert.deepEqual(await w.sockets(me), []);
      });
      await waitFor(() => c.socket.connected, 20_000, () => `to be let in: ${JSON.stringify(c.errors.map((e) => e.data ?? e.message))}`);
      await w.present(me, c.id);
      const m = await w.said(w.pods[0], other, chatId, 'welcome');
      await c.has(m._id);
      assert.equal(c.messages.length, 1);
    });
  }
}

test('Redis away: posts are still taken and reach the same pod\'s sockets', { timeout: 50_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const b = await w.connect(w.pods[0], bob);
  const sent = [];
  await during(w.redisGate, async () => {
    await ready(503);
    for (let i = 0; i < 10; i++) sent.push((await w.said(w.pods[0], alice, chatId, `m${i}`))._id);
    await b.got(10);
  });
  await w.settle(w.pods[0], alice, chatId, b);
  assert.deepEqual(b.ids().slice(0, 10), sent);
  assert.equal(b.messages.length, 11);
  assert.equal(b.connects, 1, 'the socket stayed');
  await w.present(bob, b.id);
});
