// The servers of a comparison, each with a load process of its own.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnv, Program } from '../e2e/harness/process.mjs';
import { objectId } from '../e2e/harness/models.mjs';
import { generous } from '../e2e/harness/settings.mjs';
import { token } from '../e2e/harness/token.mjs';
import { startPod, startRedis } from '../e2e/harness/world.mjs';
import { startPeer } from '../interop/cluster.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const built = (name) => here(`../../bin/bench/${name}`);

// The load process: a command a line, an answer a line.
export class Load {
  #asked = 0;

  constructor(name, dir) {
    this.program = new Program(`load-${name}`, built('load'), [], { dir, env: cleanEnv() });
  }

  async ask(command, ms = 180_000) {
    const mine = this.#asked++;
    this.program.child.stdin.write(`${JSON.stringify(command)}\n`);
    let n = 0;
    return JSON.parse(await this.program.line((text, stream) => stream === 'stdout' && n++ === mine && text, ms));
  }
}

// A server that is running, with its sockets.
export class Server {
  constructor(kind, dir, program, url, more = []) {
    Object.assign(this, { kind, program, url, more, load: new Load(kind, dir) });
  }

  ask(command) { return this.load.ask(command); }

  // The figures of connecting all of them.
  connect(clients, more = {}) { return this.ask({ do: 'connect', url: this.url, pid: this.program.pid, clients, ...more }); }

  // Nobody is told goodbye: thousands of them at once are not what is measured.
  async kill() { await Promise.all([this.program, this.load.program, ...this.more].map((p) => p.kill())); }
}

const urlLine = (line) => line.startsWith('http://') && line.trim();

const commands = {
  ours: [built('engine')],
  ws: [process.execPath, here('node/ws.mjs')],
  uws: [process.execPath, here('node/uws.mjs')],
  stock: [built('stock')],
  floor: [built('floor')],
};

export const engines = Object.keys(commands);

export async function startEngine(kind, dir) {
  const [file, ...args] = commands[kind];
  const program = new Program(kind, file, args, { dir, cwd: dir, env: cleanEnv({ NODE_ENV: 'production' }) });
  return new Server(kind, dir, program, await program.line(urlLine));
}

// So many sockets, each in one room of every size, and one in none that asks for messages.
export function engineClients(total, sizes) {
  const clients = Array.from({ length: total }, (_, i) => {
    const rooms = sizes.map((size) => `${size}.${Math.floor(i / size)}`);
    return { auth: { rooms }, rooms };
  });
  return [...clients, { auth: { rooms: [] }, rooms: [] }];
}

// The rooms of a size that are full.
export const engineRooms = (total, size) => Array.from({ length: Math.floor(total / size) }, (_, i) => `${size}.${i}`);

export const products = ['ours', 'ws'];

export async function startDatabase(dir) {
  const program = new Program('fastmongo', built('fastmongo'), ['127.0.0.1:0'], { dir, env: cleanEnv() });
  return { program, uri: await program.line((l) => l.startsWith('mongodb://') && l.trim()) };
}

let started = 0;

// A Redis for pods, and how each of them is started.
async function ground(kind, dir, mongo, name) {
  const own = join(dir, `product-${started++}`);
  mkdirSync(join(own, 'tmp'), { recursive: true });
  const redis = await startRedis(own);
  const env = { ...generous, DATA_DIR: join(own, 'data'), MONGODB_URI: `${mongo}${name}`, REDIS_URL: redis.url, SOCKETIO_ADAPTER: process.env.SOCKETIO_ADAPTER };
  const pod = (n) => (kind === 'ours'
    ? startPod(`parley${n}`, own, { ...env, LOG_FORMAT: 'json' })
    : startPeer(`node${n}`, own, { ...env, NODE_ENV: 'production' }));
  return { own, redis, pod };
}

// Parley, or the Node server of the same flow, with a Redis and a database of its own.
export async function startProduct(kind, dir, mongo, name) {
  const { own, redis, pod } = await ground(kind, dir, mongo, name);
  const { program, url } = await pod(1);
  return new Server(kind, own, program, url, [redis.program]);
}

// Two pods of it: the sockets are at the one, posts go to the other.
export async function startPair(kind, dir, mongo, name) {
  const { own, redis, pod } = await ground(kind, dir, mongo, name);
  const [one, other] = [await pod(1), await pod(2)];
  const server = new Server(kind, own, one.program, one.url, [redis.program, other.program]);
  return Object.assign(server, { post: other.url, beside: { post: other.program.pid, redis: redis.program.pid } });
}

// Chats of each size for so many users; every user is in one, and the first of each chat posts.
export function people(parts) {
  const chats = [];
  for (const { size, count } of parts) {
    for (let i = 0; i < count; i++) chats.push({ id: objectId(), size, members: Array.from({ length: size }, objectId) });
  }
  const clients = chats.flatMap((c) => c.members.map((m) => ({ auth: { token: token(m) }, rooms: [c.id] })));
  for (const c of chats) c.token = token(c.members[0]);
  return { chats, clients };
}
