// The real parts: a redis-server, a MongoDB, three pods that each reach Redis through a proxy of their own, nginx in front.
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startNginx } from '../deploy/balancers.mjs';
import { mongodBin, parleyBin, plainBin } from '../e2e/harness/builds.mjs';
import { openModels } from '../e2e/harness/models.mjs';
import { quietPort } from '../e2e/harness/ports.mjs';
import { cleanEnv, Program } from '../e2e/harness/process.mjs';
import { SECRET } from '../e2e/harness/settings.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { startMongod, startRedis } from '../e2e/harness/world.mjs';
import { Proxy } from './proxy.mjs';
import { podSettings } from './settings.mjs';

const crash = /WARNING: DATA RACE|^panic: |^fatal error: |panic recovered|"msg":"panic/m;

export class World {
  pods = [];
  programs = [];
  proxies = [];

  constructor(history, { adapter = 'redis', pods = 3, env = {} } = {}) {
    Object.assign(this, { history, adapter, count: pods, more: env });
    this.dir = mkdtempSync(join(tmpdir(), 'parley-chaos-'));
    for (const d of ['data', 'tmp', 'mongo']) mkdirSync(join(this.dir, d));
  }

  async start() {
    const [redis, mongod] = await Promise.all([startRedis(this.dir), startMongod(this.dir)]);
    Object.assign(this, { redis, mongod, mongoProxy: await this.proxy(mongod.port) });
    this.programs.push(mongod.program);
    const { Chat, Message, connection } = await openModels(`mongodb://127.0.0.1:${mongod.port}/chat`);
    Object.assign(this, { Chat, Message, connection });
    for (let i = 0; i < this.count; i++) {
      // The first is the build with the race detector.
      const pod = { name: `pod${i + 1}`, bin: i === 0 ? parleyBin() : plainBin(), port: await quietPort(), toRedis: await this.proxy(redis.port), lives: 0 };
      this.pods.push(pod);
    }
    await Promise.all(this.pods.map((pod) => this.startPod(pod)));
    const [, two] = this.pods;
    this.nginx = await startNginx(this.pods.slice(0, 2).map((p) => p.port), {
      globals: ' master_process off;', // one process, so that nothing is left of it whatever ends this one
      changes: [
        [`server 127.0.0.1:${two.port} max_fails=0;`, this.pods.slice(1).map((p) => `server 127.0.0.1:${p.port} max_fails=0;`).join('\n    ')],
        ['server_name _;', 'server_name _;\n    add_header X-Pod $upstream_addr always;'],
      ],
    });
    this.url = this.nginx.url;
    this.asked = new Redis(redis.port, '127.0.0.1', { lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: () => 200 });
    this.asked.on('error', () => {});
    await this.asked.connect();
    return this;
  }

  async proxy(port) {
    const p = await new Proxy(Number(port)).open();
    this.proxies.push(p);
    return p;
  }

  async startPod(pod) {
    pod.lives++;
    const env = {
      HOST: '127.0.0.1', PORT: pod.port, JWT_SECRET: SECRET, RATE_LIMIT_MESSAGES: 1_000_000, RATE_LIMIT_BURST: 1_000_000, RATE_LIMIT_EVENTS: 1_000_000,
      DATA_DIR: join(this.dir, 'data'), TMPDIR: join(this.dir, 'tmp'), SOCKETIO_ADAPTER: this.adapter,
      MONGODB_URI: `mongodb://127.0.0.1:${this.mongoProxy.port}/chat`, REDIS_URL: `redis://127.0.0.1:${pod.toRedis.port}`,
      GORACE: 'exitcode=66 halt_on_error=0 atexit_sleep_ms=0', ...podSettings, ...this.more,
    };
    pod.program = new Program(`${pod.name}-${pod.lives}`, pod.bin, ['serve'], { dir: this.dir, cwd: this.dir, env: cleanEnv(env) });
    this.programs.push(pod.program);
    const ready = async () => (await fetch(`http://127.0.0.1:${pod.port}/readyz`).catch(() => ({}))).status === 200;
    // While Redis or MongoDB are away it gets ready only with them.
    await waitFor(() => pod.program.ended || ready(), 60_000, () => `${pod.name} to be ready\n${pod.program.tail(20)}`);
    if (pod.program.ended) this.history.add('problem', { what: pod.name, why: `ended as it started: ${JSON.stringify(pod.program.ended)} ${pod.program.tail(5)}` });
  }

  // Which pod an address that nginx names is.
  podAt(upstream) { return this.pods.find((p) => upstream?.endsWith(`:${p.port}`))?.name; }

  async killPod(pod) { await pod.program.kill(); }

  async stopPod(pod) {
    const end = await pod.program.stop(25_000);
    if (end.code !== 0 || end.forced) this.history.add('problem', { what: pod.name, why: `SIGTERM ended in ${JSON.stringify(end)}` });
  }

  async killRedis() { await this.redis.program.kill(); }

  async restartRedis() { Object.assign(this.redis, await startRedis(this.dir, this.redis.port)); }

  async sockets(user) { return this.asked.smembers(`user:${user}:sockets`); }

  stored() { return this.Message.find({}, { chatId: 1, senderId: 1, textMessage: 1, createdAt: 1 }).sort({ createdAt: 1 }).lean(); }

  // Ends everything, and looks whether a pod saw a race or a panic.
  async close() {
    await Promise.all(this.pods.map((p) => p.program && !p.program.ended && this.stopPod(p)));
    for (const p of this.programs) {
      const bad = crash.exec(p.log());
      if (bad) this.history.add('problem', { what: p.name, why: `${bad[0]}: ${p.log().slice(bad.index, bad.index + 1500)}` });
    }
    await this.connection?.close();
    this.asked?.disconnect();
    await this.nginx?.stop();
    this.mongod?.program.signal('SIGCONT');
    this.redis?.program.signal('SIGCONT');
    await Promise.all([this.redis?.program.stop(3_000), this.mongod?.program.stop(10_000)]);
    await Promise.all(this.proxies.map((p) => p.close()));
  }
}

export const binaries = () => { parleyBin(); plainBin(); mongodBin(); };
