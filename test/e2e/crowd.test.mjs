// Everybody at once on the embedded database, which reads a collection whole for each query: all get in, none by
// hand, and each hears its chat. Contract 7.7. CROWD=500 takes a machine that has nothing else to do.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mongodBin, parleyBin } from './harness/builds.mjs';
import { Client, closeClients } from './harness/clients.mjs';
import { api, post } from './harness/http.mjs';
import { objectId, openModels } from './harness/models.mjs';
import { cleanEnv, Program } from './harness/process.mjs';
import { generous, SECRET } from './harness/settings.mjs';
import { token } from './harness/token.mjs';
import { sleep, waitFor } from './harness/wait.mjs';
import { assertClean } from './harness/world.mjs';

const crowd = Number(process.env.CROWD ?? 100);
const users = Array.from({ length: crowd }, objectId);
const sender = objectId();
let dir;
let chats;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
  const program = new Program('mongod', mongodBin(), ['--dir', join(dir, 'data', 'mongo')], { dir, env: cleanEnv({ TMPDIR: dir }) });
  const uri = await program.line((l, stream) => stream === 'stdout' && l.match(/^mongodb:\/\/\S+/)?.[0]);
  const { connection, Chat, Message } = await openModels(new URL('/parley', uri).href);
  // Two chats for each, and three messages in two of them.
  chats = (await Chat.insertMany(Array.from({ length: 2 * crowd }, (_, i) => ({ participants: [sender, users[i % crowd]] })))).map((c) => c._id.toString());
  await Message.insertMany(Array.from({ length: 3 * crowd }, (_, i) => ({ chatId: chats[i % (2 * crowd)], senderId: sender, textMessage: `old ${i}` })));
  await connection.close();
  await program.stop();
}, { timeout: 60_000 });
after(() => {
  closeClients();
  rmSync(dir, { recursive: true, force: true });
});

test(`${crowd} clients at once on the embedded database are all let in`, { timeout: 240_000 }, async () => {
  const pod = new Program('embedded', parleyBin(), ['serve'], {
    dir, cwd: dir, env: cleanEnv({ ...generous, JWT_SECRET: SECRET, REDIS_TIMEOUT: '500ms', SHUTDOWN_TIMEOUT: '60s', DATA_DIR: join(dir, 'data'), GORACE: 'exitcode=66' }),
  });
  try {
    const url = await pod.line((l) => { try { const e = JSON.parse(l); return e.msg === 'listening' && e.url; } catch { return undefined; } }, 40_000);
    await waitFor(async () => (await fetch(`${url}/readyz`).catch(() => ({}))).status === 200, 40_000, 'ready');
    const began = performance.now();
    const clients = users.map((u) => new Client(url, { auth: { token: token(u) }, reconnectionDelay: 1000, reconnectionDelayMax: 5000 }));
    let most = 0;
    await waitFor(async () => {
      most = Math.max(most, (await api(url, 'GET', '/readyz')).json.sockets.waiting);
      if (clients.every((c) => c.socket.connected)) return true;
      await sleep(200); // the pod has better things to do than to answer this
      return false;
    }, 200_000, () => `all to be in: ${clients.filter((c) => c.socket.connected).length} are; ${pod.tail(5)}`);
    console.log(`# ${crowd} in ${Math.round(performance.now() - began)} ms; ${most} waited at once; ${clients.reduce((n, c) => n + c.disconnects.length, 0)} disconnects`);
    for (const c of clients) assert.deepEqual(c.errors.map((e) => e.data), []);
    const last = crowd - 1;
    const sent = await post(url, token(sender), { chatId: chats[last], text: 'hello' });
    assert.equal(sent.status, 201, sent.body);
    await clients[last].has(sent.json.messages[0]._id);
    for (const i of [0, last]) assert.equal((await api(url, 'GET', `/api/users/${users[i]}/online`, { token: token(sender) })).json.sockets, 1);
  } finally {
    closeClients();
    const end = await pod.stop(70_000);
    assert.deepEqual([end.code, end.forced], [0, false], pod.tail(20));
    assertClean(pod);
  }
});
