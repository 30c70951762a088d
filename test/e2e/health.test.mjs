// Alive, ready, and what Prometheus is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, post } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 1 });

// The samples of /metrics: name{labels} to value.
async function samples() {
  const res = await fetch(`${w.pods[0].url}/metrics`);
  assert.equal(res.status, 200);
  assert.match(res.headers.get('content-type'), /text\/plain/);
  return Object.fromEntries((await res.text()).split('\n').filter((l) => l && !l.startsWith('#')).map((l) => [l.slice(0, l.lastIndexOf(' ')), Number(l.slice(l.lastIndexOf(' ') + 1))]));
}
const sum = (s, pattern) => Object.entries(s).filter(([k]) => pattern.test(k)).reduce((n, [, v]) => n + v, 0);

test('healthz and readyz need no token', { timeout: 10_000 }, async () => {
  for (const path of ['/healthz', '/readyz']) {
    const res = await api(w.pods[0], 'GET', path);
    assert.equal(res.status, 200, path);
    assert.ok(res.json, `${path} answers JSON`);
  }
});

test('metrics: sockets, messages, deliveries, refusals by code, latencies; and the process\'s own', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const before = await samples();
  const clients = [await w.connect(w.pods[0], alice), await w.connect(w.pods[0], bob), await w.connect(w.pods[0], bob, { transports: ['polling'] })];
  const refused = w.client(w.pods[0], alice, { token: 'nonsense' });
  await waitFor(() => refused.errors.length, 5_000, 'connect_error');
  for (let i = 0; i < 5; i++) await w.said(w.pods[0], alice, chatId, 'x');
  for (const c of clients) await c.got(5);
  assert.equal((await post(w.pods[0], token(alice), { chatId, text: '' })).status, 400);
  let now;
  const grew = (pattern, by) => sum(now, pattern) - sum(before, pattern) === by;
  await waitFor(async () => {
    now = await samples();
    return grew(/^parley_sockets(\{|$)/, 3) && grew(/^parley_messages\w*_total(\{|$)/, 5);
  }, 5_000, () => Object.entries(now).filter(([k]) => k.startsWith('parley')).map((e) => e.join(' ')).join('\n'));
  const names = Object.keys(now).filter((k) => k.startsWith('parley_'));
  assert.ok(sum(now, /^parley_deliver\w*_total(\{|$)/) - sum(before, /^parley_deliver\w*_total(\{|$)/) >= 15, names.filter((n) => /deliver/.test(n)).join());
  assert.ok(grew(/^parley_refus\w*_total\{.*code="empty_message"/, 1), names.filter((n) => /refus/.test(n)).join());
  assert.ok(grew(/^parley_refus\w*_total\{.*code="token_malformed"/, 1));
  assert.ok(names.some((n) => /_bucket\{/.test(n)), 'latency histograms');
  assert.ok(names.some((n) => /redis/.test(n)) && names.some((n) => /mongo/.test(n)), 'Redis and MongoDB');
  assert.ok(now.go_goroutines > 0 && now.process_open_fds > 0);
  for (const c of clients) c.close();
  refused.close();
  await waitFor(async () => sum(await samples(), /^parley_sockets(\{|$)/) === sum(before, /^parley_sockets(\{|$)/), 5_000, 'the gauge to go back');
});

test('labels are bounded: users, chats and paths never become one', { timeout: 10_000 }, async () => {
  const user = objectId();
  const chatId = await w.chat(user, objectId());
  await w.said(w.pods[0], user, chatId, 'x');
  await api(w.pods[0], 'GET', `/api/chats/${chatId}/messages`, { token: token(user) });
  await api(w.pods[0], 'GET', `/made-up-${user}`);
  const text = await (await fetch(`${w.pods[0].url}/metrics`)).text();
  assert.match(text, /parley_/);
  assert.ok(!text.includes(user) && !text.includes(chatId));
});
