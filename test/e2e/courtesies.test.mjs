// What is told besides messages stays small: one receipt a message, one announcement a change and recipient, none in a
// large chat, none of who is back before long; and none is lost with its pod. Contract 4 and 8.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { ms } from './harness/settings.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const ttl = 12_000; // a look for what dead pods owe each 2 s
const w = useWorld({ pods: 2, env: { PRESENCE_TTL: ms(ttl) } });

const ids = (n) => Array.from({ length: n }, () => objectId());
const about = (c, user) => c.events.filter(([name, e]) => /^user_o/.test(name) && e.userId === user).map(([name]) => name);

// Who left before this is looked at before it: a friend of the watcher's who leaves is announced later.
async function afterTheGrace(watcher, user) {
  const marker = objectId();
  await w.chatByRest(w.pods[0], user, [marker]); // the watcher's socket joins
  (await w.connect(w.pods[0], marker)).close();
  await watcher.saw('user_offline', (e) => e.userId === marker, 20_000);
}

test('a chat of 150: one receipt a message, no announcements, and REST that answers for all', { timeout: 120_000 }, async (t) => {
  const [alice, ...others] = ids(150);
  const chatId = await w.chat(alice, ...others);
  const there = others.slice(0, 39);
  const a = await w.connect(w.pods[0], alice);
  const clients = [a, ...await Promise.all(there.map((u, i) => w.connect(w.pods[i % 2], u)))];
  const sent = [];
  for (let i = 0; i < 20; i++) sent.push((await w.said(w.pods[i % 2], alice, chatId, `m${i}`))._id);
  for (const id of sent) {
    const { userIds, userId } = await a.saw('message_delivered', (e) => e.messageId === id);
    assert.deepEqual([userIds.toSorted(), userId], [there.toSorted(), undefined]);
  }
  for (const c of clients) await c.has(sent.at(-1));
  const left = clients.pop();
  left.close();
  await afterTheGrace(a, alice);
  const courtesies = clients.flatMap((c) => c.events.map(([name]) => name));
  const delivered = clients.reduce((n, c) => n + c.messages.length, 0);
  assert.deepEqual(courtesies.filter((name) => name === 'message_delivered').length, sent.length, 'one a message');
  assert.deepEqual(courtesies.filter((name) => name.startsWith('user_')), ['user_online', 'user_offline'], 'only of the marker, to alice');
  t.diagnostic(`${courtesies.length} courtesies, ${delivered} deliveries: ${(100 * courtesies.length / delivered).toFixed(1)} %`);
  assert.ok(courtesies.length < 0.05 * delivered);

  const stranger = objectId();
  const asked = [stranger, ...others];
  const res = await api(w.pods[1], 'POST', '/api/presence', { token: token(alice), body: { userIds: asked } });
  assert.equal(res.status, 200, res.body);
  assert.deepEqual(res.json.presence.map((p) => p.userId), others, 'without the stranger, in order');
  assert.deepEqual(res.json.presence.filter((p) => p.isOnline).map((p) => p.userId), there.slice(0, -1));
  const single = await api(w.pods[1], 'GET', `/api/users/${there.at(-1)}/online`, { token: token(alice) });
  assert.deepEqual(res.json.presence[38], single.json);
  assert.match(single.json.lastSeen, /Z$/);
});

test('POST /api/presence refuses what it must', { timeout: 20_000 }, async () => {
  const ask = async (body, more = {}) => api(w.pods[0], 'POST', '/api/presence', { token: token(objectId()), body, ...more });
  for (const [body, code] of [
    [{}, 'invalid_body'], [[], 'invalid_body'], ['{', 'invalid_body'], [{ userIds: 'x' }, 'invalid_body'], [{ userIds: [7] }, 'invalid_body'],
    [{ userIds: ids(201) }, 'invalid_body'], [{ userIds: [''] }, 'invalid_user_id'], [{ userIds: ['x'.repeat(200)] }, 'invalid_user_id'],
  ]) {
    const res = await ask(body);
    assert.deepEqual([res.status, res.code], [400, code], JSON.stringify(body).slice(0, 80));
  }
  assert.equal((await ask({ userIds: [] }, { token: undefined })).status, 401);
  assert.equal((await api(w.pods[0], 'GET', '/api/presence', { token: token(objectId()) })).status, 405);
  const nobody = await ask({ userIds: ids(200) });
  assert.deepEqual([nobody.status, nobody.json], [200, { presence: [] }]);
});

test('a chat of 100: each is told once of who comes and goes, however many chats are shared', { timeout: 60_000 }, async () => {
  const [alice, bob, ...others] = ids(100);
  await w.chat(alice, bob, ...others);
  await w.chat(alice, bob);
  const watchers = [await w.connect(w.pods[0], alice), await w.connect(w.pods[1], alice), await w.connect(w.pods[1], others[0])];
  const b = await w.connect(w.pods[0], bob);
  for (const c of watchers) await c.saw('user_online', (e) => e.userId === bob);
  const before = Date.now();
  b.close();
  await w.present(bob);
  const after = Date.now();
  for (const c of watchers) {
    const { lastSeen } = await c.saw('user_offline', (e) => e.userId === bob);
    assert.ok(Date.parse(lastSeen) >= before - 1 && Date.parse(lastSeen) <= after, 'when they left, not when it was told');
  }
  await afterTheGrace(watchers[0], alice);
  for (const c of watchers) assert.deepEqual(about(c, bob), ['user_online', 'user_offline']);
});

test('a flap is told to nobody: a broken connection, a page loaded again, a pod restarted', { timeout: 90_000 }, async () => {
  const [alice, bob] = ids(2);
  await w.chat(alice, bob);
  const a = await w.connect(w.pods[0], alice);
  const third = await w.pod();
  const page = await w.connect(w.pods[0], bob);
  await a.saw('user_online', (e) => e.userId === bob);
  page.drop();
  await waitFor(() => page.connects === 2, 10_000, 'the page to come back');
  page.close();
  await w.present(bob);
  const again = await w.connect(third, bob, { reconnection: false });
  third.program.signal('SIGTERM');
  await waitFor(() => again.disconnects.length > 0, 10_000, 'the pod to send its clients off');
  const last = await w.connect(w.pods[1], bob);
  await w.present(bob, last.id);
  await afterTheGrace(a, alice);
  assert.deepEqual(about(a, bob), ['user_online']);
  last.close();
  await a.saw('user_offline', (e) => e.userId === bob);
});

test('offline is told once though the pod that owes it is killed within the grace', { timeout: 90_000 }, async (t) => {
  const [alice, bob] = ids(2);
  await w.chat(alice, bob);
  const watchers = [await w.connect(w.pods[0], alice), await w.connect(w.pods[1], alice)];
  const dying = await w.pod();
  const b = await w.connect(dying, bob, { reconnection: false });
  for (const c of watchers) await c.saw('user_online', (e) => e.userId === bob);
  const before = Date.now();
  b.close();
  await w.present(bob);
  const after = Date.now();
  await dying.program.kill();
  for (const c of watchers) assert.deepEqual(about(c, bob), ['user_online'], 'nobody has been told when it dies');
  for (const c of watchers) {
    const { lastSeen } = await c.saw('user_offline', (e) => e.userId === bob, ttl);
    assert.ok(Date.parse(lastSeen) >= before - 1 && Date.parse(lastSeen) <= after, lastSeen);
  }
  t.diagnostic(`told ${Date.now() - before} ms after bob left`);
  await waitFor(async () => await w.redis.zscore('parley:untold', bob) === null, 15_000, 'nobody to owe it any more');
  await afterTheGrace(watchers[0], alice);
  for (const c of watchers) assert.deepEqual(about(c, bob), ['user_online', 'user_offline']);
});
