// The three servers of a comparison, each with a Redis, a database and a load process of its own.
import { execFileSync, fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnv, Program } from '../e2e/harness/process.mjs';
import { objectId } from '../e2e/harness/models.mjs';
import { token } from '../e2e/harness/token.mjs';
import { generous } from '../e2e/harness/settings.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { startPod, startRedis } from '../e2e/harness/world.mjs';
import { listening, startPeer } from '../interop/cluster.mjs';
import { Emitter, Redis } from '../peer/index.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

// The load process, asked by messages.
class Load {
  constructor(name) {
    this.child = fork(here('./load.mjs'), { stdio: 'inherit' });
    this.asked = new Map();
    this.next = 0;
    this.child.on('message', ({ id, result, error, lost }) => {
      if (lost !== undefined) return this.#fail(new Error(`${name} closed a socket (${lost})`));
      const asked = this.asked.get(id);
      this.asked.delete(id);
      if (error) asked?.reject(new Error(`${name}: ${error}`)); else asked?.resolve(result);
    });
    this.child.on('exit', () => this.#fail(new Error(`the load process of ${name} ended`)));
  }

  #fail(err) {
    for (const { reject } of this.asked.values()) reject(err);
    this.asked.clear();
    this.failed ??= err;
  }

  ask(command, args = {}) {
    if (this.failed) return Promise.reject(this.failed);
    return new Promise((resolve, reject) => {
      this.asked.set(++this.next, { resolve, reject });
      this.child.send({ id: this.next, command, ...args });
    });
  }

  close() { if (this.child.connected) this.child.send({ id: 0, command: 'close' }); }
}

// A message as large as the real ones, each with an id of its own.
let made = 0;
const stamp = '2026-01-01T00:00:00.000Z';
const message = (room, sender) => ({ _id: (++made).toString(16).padStart(24, '0'), chatId: room, senderId: sender, content: 'The quick brown fox jumps over the lazy dog, 1234567890.', createdAt: stamp });

class Server {
  constructor(name, redis, pod) {
    Object.assign(this, { name, redis, pod, pid: pod.program.pid, client: new Redis(redis.url) });
    this.load = new Load(name);
  }

  async stop() {
    this.load.close();
    this.client.disconnect();
    await this.pod.program.stop(10_000);
    await this.redis.program.stop(3_000);
  }
}

class SocketIO extends Server {
  constructor(...args) {
    super(...args);
    this.emitter = new Emitter(this.client);
  }

  async connect({ users, rooms, chats }) {
    const ids = await this.load.ask('open', { clients: users.map((u) => ({ url: this.pod.url, token: token(u.id) })) });
    const idOf = new Map(users.map((u, i) => [u.id, ids[i]]));
    // The Node original joins the rooms of a user's chats some time after connect.
    const { Chat } = this.models;
    for (const { id } of Object.values(chats).flat()) {
      const members = (await Chat.findById(id).lean()).participants.length;
      if (this.pod.kind === 'node') await waitFor(async () => (await this.pod.control('fetchSockets', { to: [id] })).length === members, 30_000, 'the chats joined');
    }
    for (const room of Object.values(rooms).flat()) this.emitter.in(room.members.map((m) => idOf.get(m))).socketsJoin(room.id);
  }

  broadcast(room, sender) { this.emitter.to(room).emit('new_message', message(room, sender)); }
}

class Floor extends Server {
  connect({ users }) { return this.load.ask('open', { clients: users.map((u) => ({ url: this.pod.url, rooms: u.rooms.join(',') })) }); }

  broadcast(room, sender) { this.client.publish(`floor#${room}`, `42${JSON.stringify(['new_message', message(room, sender)])}`); }
}

export async function startParley(dir, mongo) {
  const redis = await startRedis(dir);
  const env = { ...generous, LOG_FORMAT: 'json', DATA_DIR: join(dir, 'data'), MONGODB_URI: `${mongo}parley`, REDIS_URL: redis.url };
  mkdirSync(join(dir, 'tmp'), { recursive: true });
  return new SocketIO('Parley', redis, await startPod('parley', dir, env));
}

export async function startNode(dir, mongo) {
  const redis = await startRedis(dir);
  return new SocketIO('Node', redis, await startPeer('node', dir, {
    ...generous, NODE_ENV: 'production', DATA_DIR: join(dir, 'data-node'), MONGODB_URI: `${mongo}node`, REDIS_URL: redis.url,
  }));
}

export async function startFloor(dir) {
  const redis = await startRedis(dir);
  const bin = join(dir, 'floor');
  execFileSync('go', ['build', '-o', bin, './test/bench/floor'], { cwd: here('../..'), stdio: 'inherit' });
  const program = new Program('floor', bin, [`127.0.0.1:${redis.port}`], { dir, env: cleanEnv() });
  return new Floor('floor', redis, { program, url: await program.line(listening) });
}

// The users, each in one room of every size; and, for posts, the first hundred of them in chats. Only those
// have any, because the database looks chats up by reading them all.
export async function world(databases, total, sizes) {
  const users = Array.from({ length: total }, () => ({ id: objectId(), rooms: [] }));
  const groups = (all, size) => Array.from({ length: Math.floor(all.length / size) }, (_, i) => {
    const members = all.slice(i * size, (i + 1) * size);
    return { id: objectId(), size, sender: members[0].id, members: members.map((u) => u.id) };
  });
  const rooms = Object.fromEntries(sizes.map((size) => [size, groups(users, size)]));
  const byId = new Map(users.map((u) => [u.id, u]));
  for (const room of Object.values(rooms).flat()) for (const m of room.members) byId.get(m).rooms.push(room.id);
  const some = users.slice(0, 100);
  const chats = Object.fromEntries(sizes.filter((n) => n <= some.length).map((size) => [size, groups(some, size)]));
  for (const db of databases) await db.Chat.insertMany(Object.values(chats).flat().map((c) => ({ _id: c.id, participants: c.members })));
  return { users, rooms, chats };
}
