// What a crowd asks for at the same time goes together: so many round trips to MongoDB and Redis, not some for each.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { fastmongoBin } from './harness/builds.mjs';
import { Client, closeClients } from './harness/clients.mjs';
import { post } from './harness/http.mjs';
import { objectId, openModels } from './harness/models.mjs';
import { cleanEnv, Program } from './harness/process.mjs';
import { generous } from './harness/settings.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { assertClean, startPod, startRedis } from './harness/world.mjs';

const CROWD = 500;
const CHAT = 5;
const users = Array.from({ length: CROWD }, objectId);
let dir;
let parts = [];
let redis;
let models;
let pod;
let chats;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
  mkdirSync(join(dir, 'tmp'));
  const server = await startRedis(dir);
  // A database that is as far away as most are: else nobody would come while a query is under way.
  const database = new Program('fastmongo', fastmongoBin(), ['-delay', '100ms', '127.0.0.1:0'], { dir, env: cleanEnv() });
  parts = [server.program, database];
  const uri = await database.line((l) => l.startsWith('mongodb://') && l.trim());
  redis = new Redis(server.port, '127.0.0.1');
  models = await openModels(`${uri}crowd`);
  pod = await startPod('pod', dir, { ...generous, DATA_DIR: join(dir, 'data'), MONGODB_URI: `${uri}crowd`, REDIS_URL: server.url });
  chats = await models.Chat.insertMany(Array.from({ length: CROWD / CHAT }, (_, i) => ({ participants: users.slice(i * CHAT, (i + 1) * CHAT) })));
}, { timeout: 60_000 });

after(async () => {
  closeClients();
  const end = await pod?.program.stop();
  redis?.disconnect();
  await models?.connection.close();
  await Promise.all(parts.map((p) => p.kill()));
  if (pod) {
    assert.deepEqual([end.code, Boolean(end.forced)], [0, false], pod.program.tail(20));
    assertClean(pod.program);
  }
  rmSync(dir, { recursive: true, force: true });
}, { timeout: 60_000 });

// Commands to the database, and what Redis has read from its connections: a pipeline is read once or twice.
async function trips() {
  const { opcounters } = await models.connection.db.admin().serverStatus();
  const reads = /total_reads_processed:(\d+)/.exec(await redis.info('stats'))[1];
  return { mongo: Object.values(opcounters).reduce((sum, n) => sum + Number(n), 0), redis: Number(reads) };
}

async function counted(what, most, fn) {
  const from = await trips();
  await fn();
  const to = await trips();
  const took = { mongo: to.mongo - from.mongo, redis: to.redis - from.redis };
  console.log(`# ${CROWD} sockets ${what}: ${took.mongo} round trips to MongoDB, ${took.redis} to Redis`);
  assert.ok(took.mongo <= most.mongo && took.redis <= most.redis, `${what}: ${JSON.stringify(took)} round trips, at most ${JSON.stringify(most)}`);
}

test(`${CROWD} clients come and go in a few round trips`, { timeout: 240_000 }, async () => {
  let clients;
  // Four queries for each, were nobody to share them; while processors are busy they are let in one by one, and fewer share.
  await counted('come', { mongo: CROWD, redis: 2 * CROWD }, async () => {
    clients = users.map((u) => new Client(pod.url, { auth: { token: token(u) }, transports: ['websocket'] }));
    await waitFor(() => clients.every((c) => c.socket.connected), 120_000, () => `all to be in: ${clients.filter((c) => c.socket.connected).length} are`);
  });
  for (const c of clients) assert.deepEqual([c.errors, c.disconnects], [[], []]);
  const sent = await post(pod, token(users[0]), { chatId: chats[0]._id.toString(), text: 'hello' });
  assert.equal(sent.status, 201, sent.body);
  await Promise.all(clients.slice(0, CHAT).map((c) => c.has(sent.json.messages[0]._id)));

  await counted('go', { mongo: CROWD / 2, redis: 2 * CROWD }, async () => {
    for (const c of clients) c.socket.disconnect();
    await waitFor(async () => await redis.exists(...users.map((u) => `user:${u}:sockets`)) === 0, 60_000, 'all to be out');
    const absences = models.connection.db.collection('parley_absences');
    await waitFor(async () => (await absences.find({ _id: { $in: users } }).toArray()).filter((a) => !a.back).length === CROWD, 60_000, 'it to be noted since when they are away');
  });
});
