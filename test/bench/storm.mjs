// Kills a pod with thousands of sockets, which two others take, and looks what that costs: README.md says how to read it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { openModels } from '../e2e/harness/models.mjs';
import { cleanEnv, Program } from '../e2e/harness/process.mjs';
import { generous } from '../e2e/harness/settings.mjs';
import { startPod, startRedis } from '../e2e/harness/world.mjs';
import { Load, people } from './servers.mjs';

const setting = Object.fromEntries(Object.entries({ STORM_SOCKETS: 5_000, STORM_STANDING: 500, STORM_ROOM: 5, STORM_MS: 4_000, STORM_RATE: 100, STORM_GHOSTS: 1 })
  .map(([k, v]) => [k, Number(process.env[k] || v)]));
const DELAYS = (process.env.STORM_DELAYS || '5ms,50ms').split(',');

const ticks = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13).reduce((a, b) => a + Number(b), 0) * 10; // ms

async function storm(delay, dir) {
  mkdirSync(join(dir, 'tmp'), { recursive: true });
  const redisServer = await startRedis(dir);
  const database = new Program('fastmongo', fileURLToPath(new URL('../../bin/bench/fastmongo', import.meta.url)), ['-delay', delay, '127.0.0.1:0'], { dir, env: cleanEnv() });
  const uri = await database.line((l) => l.startsWith('mongodb://') && l.trim());
  const env = { ...generous, DATA_DIR: join(dir, 'data'), MONGODB_URI: `${uri}storm`, REDIS_URL: redisServer.url, LOG_FORMAT: 'json' };
  const pods = await Promise.all(['a', 'b', 'c', 'd'].map((name) => startPod(name, dir, env)));
  const [a, b, c, d] = pods;
  const redis = new Redis(redisServer.port, '127.0.0.1');
  const models = await openModels(env.MONGODB_URI);
  const crowd = people([{ size: setting.STORM_ROOM, count: Math.ceil(setting.STORM_SOCKETS / setting.STORM_ROOM) }]);
  const standing = [0, 1, 2].map(() => people([{ size: 5, count: Math.ceil(setting.STORM_STANDING / 10) }]));
  for (const { chats } of [crowd, ...standing]) {
    for (let i = 0; i < chats.length; i += 1000) {
      await models.Chat.insertMany(chats.slice(i, i + 1000).map((chat) => ({ _id: chat.id, participants: chat.members })));
    }
  }
  const load = new Load('load-a', dir);
  const others = [new Load('load-b', dir), new Load('load-c', dir), new Load('load-d', dir)];
  const trips = async () => {
    const ops = (await models.connection.db.admin().serverStatus()).opcounters;
    const info = Object.fromEntries((await redis.info('everything')).split('\r\n').map((l) => l.split(':')));
    return {
      mongo: Object.values(ops).reduce((x, y) => x + Number(y), 0), redis: Number(info.total_reads_processed),
      publish: Number(/calls=(\d+)/.exec(info.cmdstat_publish)?.[1] ?? 0),
      commands: Number(info.total_commands_processed), cpu: pods.reduce((sum, p) => sum + (p.program.ended ? 0 : ticks(p.program.pid)), 0),
    };
  };
  const between = (from, to) => Object.fromEntries(Object.keys(from).map((k) => [k, to[k] - from[k]]));
  const post = (ms) => Promise.all(others.map((l, i) => l.ask({
    do: 'fanout', ms, warm: 0, rooms: standing[i].chats.map((chat) => chat.id), tokens: standing[i].chats.map((chat) => chat.token), bytes: 200, workers: 32, rate: setting.STORM_RATE,
  })));
  const p99 = (reports) => Math.max(...reports.map((r) => r.last_p99_ms));
  try {
    await others[0].ask({ do: 'connect', url: b.url, pid: b.program.pid, clients: standing[0].clients });
    await others[1].ask({ do: 'connect', url: c.url, pid: c.program.pid, clients: standing[1].clients });
    await others[2].ask({ do: 'connect', url: d.url, pid: d.program.pid, clients: standing[2].clients });
    let before = await trips();
    const connected = await load.ask({ do: 'connect', url: a.url, pid: a.program.pid, clients: crowd.clients });
    const connecting = between(before, await trips());
    await post(1_000); // warm
    const calm = await post(setting.STORM_MS);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    before = await trips();
    before.cpu -= ticks(a.program.pid);
    const posting = post(setting.STORM_MS);
    const killed = Date.now();
    const back = await load.ask({ do: 'storm', urls: [b.url, c.url] });
    const stormed = between(before, await trips());
    const meanwhile = await posting;
    const row = {
      delay, connect_s: connected.seconds, connect_trips: connecting, back_s: back.seconds, attempts: back.attempts, back_p50: back.p50_ms, back_p99: back.p99_ms,
      trips: stormed, calm_p99: p99(calm.slice(0, 2)), storm_p99: p99(meanwhile.slice(0, 2)),
      beside_calm_p99: p99(calm.slice(2)), beside_storm_p99: p99(meanwhile.slice(2)),
      lost: [...calm, ...meanwhile].reduce((n, r) => n + r.lost + r.twice + r.reordered + r.stray, 0),
    };
    if (setting.STORM_GHOSTS) {
      before = await trips();
      const key = (await redis.keys('parley:pod:*:sockets')).filter(Boolean);
      const sizes = async () => Promise.all(key.map((k) => redis.hlen(k)));
      const total = 3 * Math.ceil(setting.STORM_STANDING / 10) * 5 + crowd.clients.length;
      while ((await sizes()).reduce((x, y) => x + y, 0) > total) await new Promise((resolve) => setTimeout(resolve, 200));
      row.ghosts_s = (Date.now() - killed) / 1000;
      row.ghost_trips = between(before, await trips());
    }
    return row;
  } finally {
    redis.disconnect();
    await models.connection.close();
    await Promise.all([...pods.map((p) => p.program), load.program, ...others.map((l) => l.program), database, redisServer.program].map((p) => p.kill()));
  }
}

const dir = mkdtempSync(join(tmpdir(), 'parley-storm-'));
try {
  for (const delay of DELAYS) {
    const row = await storm(delay, join(dir, delay));
    console.log(JSON.stringify(row));
  }
} finally {
  if (!process.env.STORM_KEEP) rmSync(dir, { recursive: true, force: true });
  else console.error(dir);
}
