// Real parts for one test file: a redis-server, a MongoDB, and pods that share them.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { mongodBin, parleyBin, redisBin } from './builds.mjs';
import { Client, closeClients } from './clients.mjs';
import { Gate } from './gate.mjs';
import { api, post } from './http.mjs';
import { objectId, openModels } from './models.mjs';
import { quietPort } from './ports.mjs';
import { cleanEnv, Program } from './process.mjs';
import { generous } from './settings.mjs';
import { token } from './token.mjs';
import { waitFor } from './wait.mjs';

export async function startRedis(dir, port) {
  const run = (at) => new Program('redis', redisBin(), ['--port', at, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir].map(String), { dir, env: cleanEnv() });
  const outcome = (p) => p.line((l) => /Ready to accept connections|Address already in use/.exec(l)?.[0]);
  let program = run(port ??= await quietPort());
  while (await outcome(program) === 'Address already in use') program = run(port = await quietPort()); // somebody was quicker
  return { program, port, url: `redis://127.0.0.1:${port}` };
}

export async function startMongod(dir) {
  mkdirSync(join(dir, 'mongo'), { recursive: true });
  const program = new Program('mongod', mongodBin(), [], { dir, cwd: join(dir, 'mongo'), env: cleanEnv({ TMPDIR: join(dir, 'mongo') }) });
  const uri = await program.line((l, stream) => stream === 'stdout' && l.match(/^mongodb:\/\/\S+/)?.[0]);
  return { program, uri, port: new URL(uri).port };
}

// The url a pod says it listens on, in the one JSON line about it.
function listening(line) {
  try {
    const entry = JSON.parse(line);
    return entry.msg === 'listening' && entry.url;
  } catch { return undefined; }
}

export async function startPod(name, dir, env) {
  const program = new Program(name, parleyBin(), ['serve'], {
    dir, cwd: dir, env: cleanEnv({ GORACE: 'exitcode=66 halt_on_error=0 atexit_sleep_ms=0', TMPDIR: join(dir, 'tmp'), ...env }),
  });
  const pod = { name, program, url: await program.line(listening, 30_000) };
  await waitFor(async () => (await fetch(`${pod.url}/readyz`).catch(() => ({}))).status === 200, 20_000, `${name} ready\n${program.tail()}`);
  return pod;
}

// Every regular file below dir.
export function filesBelow(dir) {
  return readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => join(e.parentPath ?? e.path, e.name)).sort();
}

// A pod that saw a data race or a panic has failed, whatever the tests say.
export function assertClean(program) {
  const log = program.log();
  const bad = /WARNING: DATA RACE|^panic: |^fatal error: |panic recovered|"msg":"panic/m.exec(log);
  assert.equal(bad, null, bad ? `${program.name}: ${log.slice(Math.max(0, bad.index - 200), bad.index + 4000)}` : '');
}

export class World {
  pods = [];
  #programs = [];
  #gates = [];
  #redisClients = [];

  async start({ pods = 2, env = {}, gates = false } = {}) {
    this.dir = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
    this.dataDir = join(this.dir, 'data');
    this.tmpDir = join(this.dir, 'tmp');
    mkdirSync(this.dataDir);
    mkdirSync(this.tmpDir);
    const [redis, mongod] = await Promise.all([startRedis(this.dir), startMongod(this.dir)]);
    this.redisServer = redis;
    this.mongod = mongod;
    this.#programs.push(redis.program, mongod.program);
    let redisPort = redis.port;
    let mongoPort = mongod.port;
    if (gates) {
      this.redisGate = await this.gate([{ port: redis.port }]);
      this.mongoGate = await this.gate([{ port: mongod.port }]);
      redisPort = this.redisGate.port;
      mongoPort = this.mongoGate.port;
    }
    this.env = {
      ...generous, DATA_DIR: this.dataDir, MONGODB_URI: `mongodb://127.0.0.1:${mongoPort}/chat`, REDIS_URL: `redis://127.0.0.1:${redisPort}`, ...env,
    };
    this.redis = new Redis(redis.port, '127.0.0.1');
    this.#redisClients.push(this.redis);
    const models = await openModels(`mongodb://127.0.0.1:${mongod.port}/chat`);
    Object.assign(this, models);
    await Promise.all(Array.from({ length: pods }, () => this.pod()));
    // A pod is ready before its lease is sure to be there.
    await waitFor(async () => await this.redis.zcard('parley:pods') >= pods, 15_000, 'the leases');
    return this;
  }

  // One more pod on the same parts.
  async pod(env = {}) {
    const name = `pod${this.#programs.length}-${this.pods.length}-${Math.random().toString(36).slice(2, 5)}`;
    const pod = await startPod(name, this.dir, { ...this.env, ...env });
    this.#programs.push(pod.program);
    this.pods.push(pod);
    return pod;
  }

  async gate(targets) {
    const gate = await new Gate(targets).open();
    this.#gates.push(gate);
    return gate;
  }

  // A client of the user, not waited for.
  client(pod, user, { token: given, url, ...options } = {}) {
    return new Client(url ?? pod.url, { auth: { token: given ?? token(user) }, ...options });
  }

  async connect(pod, user, options) { return this.client(pod, user, options).connected(); }

  say(pod, user, chatId, text, more = {}) { return post(pod, token(user), { chatId, text, ...more }); }

  // Sends a text that must be accepted, and returns the stored message.
  async said(pod, user, chatId, text, more = {}) {
    const res = await this.say(pod, user, chatId, text, more);
    assert.equal(res.status, 201, res.body);
    assert.equal(res.json.messages.length, 1);
    return res.json.messages[0];
  }

  // A chat as the application itself would have made it; nobody's sockets know of it yet.
  async chat(...participants) {
    const model = participants.every((p) => /^[0-9a-f]{24}$/.test(p)) ? this.Chat : this.LooseChat;
    return (await model.create({ participants }))._id.toString();
  }

  async chatByRest(pod, user, participants, name) {
    const res = await api(pod, 'POST', '/api/chats', { token: token(user), body: { participants, name } });
    assert.equal(res.status, 201, res.body);
    return res.json.chat;
  }

  // Proof that a socket has been sent everything that was emitted before now: a message through the same
  // pod and chat cannot overtake what came before it. The sender must take part in the chat.
  async settle(pod, user, chatId, ...clients) {
    const message = await this.said(pod, user, chatId, `settle ${objectId()}`);
    for (const c of clients) await c.has(message._id);
    return message;
  }

  // Waits until the user's set holds exactly these sockets.
  async present(user, ...ids) {
    let have;
    await waitFor(async () => {
      have = (await this.sockets(user)).sort();
      return have.join() === [...ids].sort().join();
    }, 15_000, () => `user:${user}:sockets to be ${JSON.stringify(ids)}; it is ${JSON.stringify(have)}`);
  }

  sockets(user) { return this.redis.smembers(`user:${user}:sockets`); }

  async stored(chatId) { return this.Message.find({ chatId }).sort({ createdAt: 1, _id: 1 }).lean(); }

  files() { return [...filesBelow(this.dataDir), ...filesBelow(this.tmpDir)]; }

  // Ends everything, whatever happened, then complains about what was wrong.
  async close() {
    closeClients();
    const problems = [];
    const attempt = async (what, fn) => { try { await fn(); } catch (err) { problems.push(`${what}: ${err.message}`); } };
    await Promise.all(this.pods.map((pod) => attempt(pod.name, async () => {
      const wasUp = !pod.program.ended;
      const end = await pod.program.stop();
      if (wasUp) assert.deepEqual([end.code, Boolean(end.forced)], [0, false], `ended with ${JSON.stringify(end)}:\n${pod.program.tail(20)}`);
      assertClean(pod.program);
    })));
    await attempt('mongoose', () => this.connection?.close());
    for (const r of this.#redisClients) r.disconnect();
    for (const g of this.#gates) await attempt('gate', () => g.shut());
    await Promise.all(this.#programs.map((p) => attempt(p.name, () => p.stop(3_000))));
    const failed = process.exitCode || this.failed || problems.length;
    if (failed) {
      for (const p of this.#programs) console.error(`--- ${p.name}, the end of ${p.logFile}\n${p.tail(40)}`);
    } else if (this.dir) rmSync(this.dir, { recursive: true, force: true });
    assert.deepEqual(problems, []);
  }
}

// Declares a world for the whole file: started before its first test, ended after its last. What else the
// file needs goes into setup: node:test starts a second before() while the first is still at work.
export function useWorld(options, setup = () => {}) {
  const world = new World();
  before(async () => { await setup(await world.start(options)); }, { timeout: 60_000 });
  afterEach((t) => {
    closeClients();
    if (t?.passed === false) world.failed = true;
  });
  after(() => world.close(), { timeout: 60_000 });
  return world;
}
