// MongoDB or Redis away: posts refused clearly, clients waiting, nothing half done, and all well once they are back.
// Contract 3, 4, 7.5 and 7.7.
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
    test(`${what}: ${lib} connecting meanwhile waits, leaves nothing, and gets in by itself`, { timeout: 50_000 }, async () => {
      const me = objectId();
      const other = objectId();
      const chatId = await w.chat(me, other);
      let c;
      await during(w[what], async () => {
        c = w.client(w.pods[0], me, { lib });
        const tries = async () => (await (await fetch(`${w.pods[0].url}/metrics`)).text()).split('\n').filter((l) => l.startsWith('parley_connect_retries_total')).reduce((n, l) => n + Number(l.slice(l.lastIndexOf(' '))), 0);
        const before = await tries();
        await waitFor(async () => await tries() >= before + 2, 20_000, 'two tries to fail');
        assert.equal(c.connects, 0);
        assert.equal((await api(w.pods[0], 'GET', '/readyz')).json.sockets.waiting, 1);
        await w.present(me); // at least between two tries
      });
      await waitFor(() => c.socket.connected, 20_000, 'to be let in');
      assert.deepEqual(c.errors, []);
      assert.equal(c.connects, 1);
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
