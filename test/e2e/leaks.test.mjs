// After 300 clients came and went, the pods are where they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libs } from './harness/clients.mjs';
import { metric } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 2 });
const goroutines = () => Promise.all(w.pods.map((p) => metric(p, 'go_goroutines')));
const fds = async () => Promise.all(w.pods.map((p) => metric(p, 'process_open_fds')));

async function comeAndGo(n) {
  const users = Array.from({ length: n }, objectId);
  const alice = objectId();
  const chatId = await w.chat(alice, ...users);
  const clients = await Promise.all(users.map((u, i) => w.connect(w.pods[i % 2], u, { lib: libs[i % 3], transports: [['websocket'], ['polling'], ['polling', 'websocket']][(i >> 1) % 3] })));
  const m = await w.said(w.pods[0], alice, chatId, 'hello all');
  await Promise.all(clients.map((c) => c.has(m._id, 20_000)));
  assert.equal(await metricSum('sockets'), n);
  // Some say goodbye, some lose the line.
  clients.forEach((c, i) => (i % 2 ? c.close() : (c.socket.io.reconnection(false), c.drop())));
  await waitFor(async () => (await w.redis.keys('user:*:sockets')).length === 0, 15_000, 'every presence set to go');
  for (const c of clients) c.close();
}

// What the pods themselves say is connected.
async function metricSum() {
  const found = await Promise.all(w.pods.map(async (p) => {
    const text = await (await fetch(`${p.url}/metrics`)).text();
    const line = text.split('\n').find((l) => /^parley_sockets(\{[^}]*\})? /.test(l));
    return line ? Number(line.split(' ').at(-1)) : NaN;
  }));
  return found.reduce((a, b) => a + b, 0);
}

test('300 clients come and go: presence, sockets, goroutines and files return to the start', { timeout: 150_000 }, async () => {
  await comeAndGo(100); // whatever is made once, and connection pools, are made now
  await waitFor(async () => (await metricSum()) === 0, 10_000, 'no socket');
  let start = await goroutines();
  await waitFor(async () => { const now = await goroutines(); const same = now.every((n, i) => n >= start[i]); start = now.map((n, i) => Math.min(n, start[i])); return same; }, 10_000, 'a steady start');
  const files = await fds();
  assert.ok(start.every((n) => n > 0), start.join());
  for (let i = 0; i < 3; i++) await comeAndGo(100);
  await waitFor(async () => (await metricSum()) === 0, 10_000, 'no socket');
  let now;
  await waitFor(async () => { now = await goroutines(); return now.every((n, i) => n <= start[i] + 10); }, 20_000, () => `goroutines back at ${start}; they are ${now}`);
  let open;
  // Connection pools may still grow a little; 150 clients of each pod would show.
  await waitFor(async () => { open = await fds(); return open.every((n, i) => n <= files[i] + 60); }, 20_000, () => `files back at ${files}; they are ${open}`);
  assert.deepEqual(await w.redis.keys('user:*:sockets'), []);
});
