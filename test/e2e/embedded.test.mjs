// `parley serve` with nothing set: a URL, two tokens and a curl line that works. Contract 9, the embedded default.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parleyBin } from './harness/builds.mjs';
import { Client, closeClients, libs } from './harness/clients.mjs';
import { file, png } from './harness/fixtures.mjs';
import { api, post } from './harness/http.mjs';
import { cleanEnv, Program, run } from './harness/process.mjs';
import { waitFor } from './harness/wait.mjs';
import { assertClean, filesBelow } from './harness/world.mjs';

let dir;
let started = 0;
const running = [];
before(() => { dir = mkdtempSync(join(tmpdir(), 'parley-e2e-')); });
afterEach((t) => {
  closeClients();
  if (t?.passed === false) for (const p of running) console.error(`--- ${p.name}\n${p.tail(40)}`);
});
after(async () => {
  for (const p of running) await p.stop();
  rmSync(dir, { recursive: true, force: true });
});

const claims = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));

async function serve(data = 'data', env = {}) {
  mkdirSync(join(dir, 'cwd'), { recursive: true });
  const program = new Program(`embedded${started++}`, parleyBin(), ['serve'], { dir, cwd: join(dir, 'cwd'), env: cleanEnv({ PORT: 0, DATA_DIR: join(dir, data), GORACE: 'exitcode=66', ...env }) });
  running.push(program);
  const curl = await program.line((l) => /^\s*curl .*\/api\/messages/.test(l) && l.trim(), 40_000);
  const out = program.lines.map((l) => l.text).join('\n');
  const tokens = [...new Set(out.match(/eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g))];
  const url = out.match(/https?:\/\/(?:127\.0\.0\.1|localhost):\d+/)[0];
  await waitFor(async () => (await fetch(`${url}/readyz`).catch(() => ({}))).status === 200, 20_000, 'ready');
  return { program, url, tokens, curl, sender: claims(curl.match(/Bearer (eyJ[\w.-]+)/)[1]).userId };
}

// The addresses a process listens on, as the kernel has them.
function listening(pid) {
  const inodes = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => { try { return readlinkSync(`/proc/${pid}/fd/${fd}`).match(/^socket:\[(\d+)\]$/)?.[1]; } catch { return undefined; } }));
  return ['tcp', 'tcp6'].flatMap((f) => readFileSync(`/proc/${pid}/net/${f}`, 'utf8').trim().split('\n').slice(1))
    .map((l) => l.trim().split(/\s+/)).filter((c) => c[3] === '0A' && inodes.has(c[9])).map((c) => c[1].split(':')[0]);
}

test('a stock client with the printed token receives what the printed curl line sends; a restart keeps it', { timeout: 58_000 }, async () => {
  const first = await serve();
  assert.equal(first.tokens.length, 2, 'two tokens');
  assert.deepEqual(first.program.lines.filter((l) => /"level":"(WARN|ERROR)"/.test(l.text)), [], 'a first start has nothing to complain of');
  const users = first.tokens.map((t) => claims(t).userId);
  assert.equal(new Set(users).size, 2);
  assert.ok(users.includes(first.sender));
  const clients = await Promise.all(first.tokens.flatMap((token) => libs.map((lib) => new Client(first.url, { lib, auth: { token } }).connected())));
  const sent = await run('sh', ['-c', first.curl], { dir, env: cleanEnv() });
  assert.equal(sent.code, 0, sent.stderr);
  const [m] = JSON.parse(sent.stdout).messages;
  for (const c of clients) {
    await c.got(1);
    assert.deepEqual(c.messages, [{ _id: m._id, chatId: m.chatId, senderId: first.sender, content: m.textMessage, createdAt: m.createdAt }]);
  }
  const token = first.tokens[users.indexOf(first.sender)];
  const upload = await post(first.url, token, { chatId: m.chatId, files: [file('a.png', 'image/png', png())] });
  assert.equal(upload.status, 201, upload.body);
  const recipient = users.find((u) => u !== first.sender);
  assert.deepEqual((await api(first.url, 'GET', `/api/users/${recipient}/online`, { token })).json, { userId: recipient, isOnline: true, sockets: 3, lastSeen: null });
  closeClients();

  // All three servers listen on loopback and nowhere else.
  if (process.platform === 'linux') {
    const addresses = listening(first.program.pid);
    assert.ok(addresses.length >= 3, `HTTP, MongoDB, Redis: ${addresses}`);
    for (const a of addresses) assert.ok(['0100007F', '00000000000000000000000001000000'].includes(a), `listens on ${a}`);
  }

  const end = await first.program.stop();
  assert.deepEqual([end.code, end.forced], [0, false], first.program.tail(20));
  assertClean(first.program);

  const second = await serve();
  const again = second.tokens.find((t) => claims(t).userId === first.sender);
  assert.ok(again, 'the same demo users');
  const chats = await api(second.url, 'GET', '/api/chats', { token: again });
  assert.deepEqual(chats.json.chats.map((c) => c._id), [m.chatId], 'the same one chat');
  const history = await api(second.url, 'GET', `/api/chats/${m.chatId}/messages`, { token: again });
  assert.deepEqual(history.json.messages, [upload.json.messages[0], m]);
  assert.equal((await fetch(new URL(new URL(upload.json.messages[0].fileUrl, second.url).pathname, second.url))).status, 200);
  const c = await new Client(second.url, { auth: { token: second.tokens.find((t) => t !== again) } }).connected();
  const resent = await run('sh', ['-c', second.curl], { dir, env: cleanEnv() });
  await c.has(JSON.parse(resent.stdout).messages[0]._id);
  assertClean(second.program);
});

test('the data stays below DATA_DIR, and the secret is random', { timeout: 40_000 }, async () => {
  const [a, b] = await Promise.all([serve('one'), serve('two')]);
  assert.deepEqual(filesBelow(join(dir, 'cwd')), [], 'nothing is written to the working directory');
  assert.ok(filesBelow(join(dir, 'one')).length > 0);
  const crossed = await api(b.url, 'GET', '/api/chats', { token: a.tokens[0] });
  assert.deepEqual([crossed.status, crossed.code], [401, 'token_invalid'], 'a token of one works at the other');
  assert.equal((await api(b.url, 'GET', '/api/chats', { token: b.tokens[0] })).status, 200);
});
