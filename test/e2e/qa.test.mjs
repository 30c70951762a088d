// A QA load test on the embedded database: stock clients and REST at once, nobody is refused, answers come within a second.
// QA=full is 200 users, 1,000 chats and 10,000 messages that are all posted; QA_MESSAGES=100000 puts so many more there before.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mongodBin, plainBin } from './harness/builds.mjs';
import { Client, closeClients } from './harness/clients.mjs';
import { api, post } from './harness/http.mjs';
import { objectId, openModels } from './harness/models.mjs';
import { cleanEnv, Program } from './harness/process.mjs';
import { generous, SECRET } from './harness/settings.mjs';
import { token } from './harness/token.mjs';
import { sleep, waitFor } from './harness/wait.mjs';
import { assertClean } from './harness/world.mjs';

const full = process.env.QA === 'full';
const size = full ? { users: 200, chats: 1000, posts: 10_000, there: 0 } : { users: 50, chats: 1000, posts: 300, there: 10_000 };
size.there = Number(process.env.QA_MESSAGES ?? size.there);
const perSecond = Number(process.env.QA_RATE ?? (full ? 100 : 30));
const users = Array.from({ length: size.users }, objectId);
const members = (i) => [0, 1, 7].map((d) => users[(i + d * (1 + i % 11)) % users.length]);
let dir;
let chats;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
  const program = new Program('mongod', mongodBin(), ['--dir', join(dir, 'data', 'mongo')], { dir, env: cleanEnv({ TMPDIR: dir }) });
  const uri = await program.line((l, stream) => stream === 'stdout' && l.match(/^mongodb:\/\/\S+/)?.[0]);
  const { connection, Chat, Message } = await openModels(new URL('/parley', uri).href);
  chats = (await Chat.insertMany(Array.from({ length: size.chats }, (_, i) => ({ participants: [...new Set(members(i))] })))).map((c) => c._id.toString());
  for (let n = 0; n < size.there; n += 1000) {
    await Message.insertMany(Array.from({ length: Math.min(1000, size.there - n) }, (_, i) => ({ chatId: chats[(n + i) % chats.length], senderId: users[0], textMessage: `old ${n + i}` })));
  }
  await connection.close();
  await program.stop();
}, { timeout: 300_000 });
after(() => {
  closeClients();
  rmSync(dir, { recursive: true, force: true });
});

const took = new Map(); // milliseconds by what was asked
const refused = [];

async function timed(what, call, status = 200) {
  const began = performance.now();
  const r = await call().catch((err) => ({ status: 0, body: String(err) }));
  if (!took.has(what)) took.set(what, []);
  took.get(what).push(performance.now() - began);
  if (r.status !== status) refused.push(`${what}: ${r.status} ${r.body}`);
  return r;
}

// Seconds of CPU a process has used, where the kernel tells.
function cpu(pid) {
  if (process.platform !== 'linux') return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const at = (list, share) => list[Math.min(list.length - 1, Math.floor(list.length * share))];

test(`${size.users} users, ${size.chats} chats, ${size.there + size.posts} messages`, { timeout: full ? 900_000 : 120_000 }, async () => {
  const pod = new Program('embedded', plainBin(), ['serve'], {
    dir, cwd: dir, env: cleanEnv({ ...generous, JWT_SECRET: SECRET, SHUTDOWN_TIMEOUT: '60s', DATA_DIR: join(dir, 'data') }),
  });
  try {
    const url = await pod.line((l) => { try { const e = JSON.parse(l); return e.msg === 'listening' && e.url; } catch { return undefined; } }, 40_000);
    await waitFor(async () => (await fetch(`${url}/readyz`).catch(() => ({}))).status === 200, 40_000, 'ready');
    const clients = users.map((u) => new Client(url, { auth: { token: token(u) } }));
    const began = performance.now();
    await waitFor(() => clients.every((c) => c.socket.connected), 60_000, () => `all to be in: ${clients.filter((c) => c.socket.connected).length} are`);
    took.set('all to be in', [performance.now() - began]);
    for (const c of clients) c.messages.length = 0; // their backlog

    // Posts at an even rate; beside them, as people do, lists, pages and who is online, and now and then somebody reloads.
    const under = new Set();
    const start = (p) => { under.add(p); p.finally(() => under.delete(p)); };
    const posted = [];
    const used = cpu(pod.pid);
    const first = performance.now();
    for (let i = 0; i < size.posts; i++) {
      await sleep(Math.max(0, first + (i * 1000) / perSecond - performance.now()));
      const chatId = chats[(i * 7) % chats.length];
      const sender = token(members((i * 7) % chats.length)[i % 2]);
      start(timed('POST /api/messages', () => post(url, sender, { chatId, text: `m${i}` }), 201).then((r) => { if (r.json) posted.push(r.json.messages[0]); }));
      const [user, other] = members(i % chats.length);
      const mine = { token: token(user) };
      if (i % 3 === 0) start(timed('a page of history', () => api(url, 'GET', `/api/chats/${chats[i % chats.length]}/messages`, mine)));
      if (i % 10 === 1) start(timed('GET /api/chats', () => api(url, 'GET', '/api/chats', mine)));
      if (i % 10 === 6) start(timed('online', () => api(url, 'GET', `/api/users/${other}/online`, mine)));
      if (i % 20 === 13) start(timed('another connect', async () => { const c = await new Client(url, { auth: { token: token(user) } }).connected(); c.close(); return { status: 200 }; }));
    }
    await Promise.all(under);
    console.log(`# ${(cpu(pod.pid) - used).toFixed(1)} s of CPU in ${Math.round((performance.now() - first) / 1000)} s`);
    for (const [what, list] of took) {
      list.sort((a, b) => a - b);
      console.log(`# ${what}: ${list.length}, p50 ${Math.round(at(list, 0.5))} ms, p99 ${Math.round(at(list, 0.99))} ms, most ${Math.round(list.at(-1))} ms`);
    }
    assert.deepEqual(refused.slice(0, 5), [], `${refused.length} refused`);
    assert.equal(posted.length, size.posts);
    const of = new Map(posted.map((m) => [m.chatId, (posted.filter((o) => o.chatId === m.chatId))]));
    for (const chat of [...of.keys()].slice(0, 20)) {
      for (const user of members(chats.indexOf(chat))) {
        const c = clients[users.indexOf(user)];
        await waitFor(() => of.get(chat).every((m) => c.ids().includes(m._id)), 10_000, () => `all of ${chat}`);
        const ids = c.ids();
        assert.equal(new Set(ids).size, ids.length, 'each once');
      }
    }
    const share = full ? 0.99 : 0.9; // the machine of a short run may be busy
    for (const [what, list] of took) if (what !== 'all to be in') assert.ok(at(list, share) < 1000, `${what} took ${Math.round(at(list, share))} ms`);
  } finally {
    closeClients();
    const end = await pod.stop(70_000);
    assert.deepEqual([end.code, end.forced], [0, false], pod.tail(20));
    assertClean(pod);
  }
});
