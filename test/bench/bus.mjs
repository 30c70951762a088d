// What a message of another pod costs a pod that hears it, for each adapter: a table on stdout. README.md says how to
// run it, docs/BENCHMARKS.md has what it measured.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { objectId } from '../e2e/harness/models.mjs';
import { cleanEnv, Program } from '../e2e/harness/process.mjs';
import { generous } from '../e2e/harness/settings.mjs';
import { token } from '../e2e/harness/token.mjs';
import { startPod, startRedis } from '../e2e/harness/world.mjs';
import { busy, machine, median } from './report.mjs';

const COUNT = Number(process.env.BUS_MESSAGES || 100_000);
const ROUNDS = Number(process.env.BUS_ROUNDS || 3);
const RATE = Number(process.env.BUS_RATE || 2_000);
const MORE = Number(process.env.BUS_MORE || 0);
const ADAPTERS = (process.env.BUS_ADAPTERS || 'redis redis-sharded redis-streams').split(' ');
const BYTES = 100; // of text in a message

const built = (name) => fileURLToPath(new URL(`../../bin/bench/${name}`, import.meta.url));
const programs = [];
const start = (...args) => {
  const program = new Program(...args);
  programs.push(program);
  return program;
};

// A program that answers a line with a line.
function conversation(program) {
  let asked = 0;
  return async (command) => {
    const mine = asked++;
    program.child.stdin.write(`${JSON.stringify(command)}\n`);
    let n = 0;
    return JSON.parse(await program.line((text, stream) => stream === 'stdout' && n++ === mine && text, 600_000));
  };
}

// User and system time of a process so far, in µs; USER_HZ is 100 on Linux.
function cpu(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function measure(adapter, dir, mongo, rows) {
  mkdirSync(join(dir, 'tmp'), { recursive: true });
  const redis = await startRedis(dir);
  programs.push(redis.program);
  const pod = await startPod('parley', dir, {
    ...generous, DATA_DIR: join(dir, 'data'), MONGODB_URI: `${mongo}${adapter.replaceAll('-', '')}`, REDIS_URL: redis.url, SOCKETIO_ADAPTER: adapter, LOG_FORMAT: 'json',
  });
  programs.push(pod.program);
  const user = objectId();
  const load = conversation(start('load', built('load'), [], { dir, env: cleanEnv() }));
  await load({ do: 'connect', url: pod.url, pid: pod.program.pid, clients: [{ auth: { token: token(user) }, rooms: [] }] });
  const open = (name) => conversation(start(name, built('bus'), ['-redis', redis.url, '-adapter', adapter], { dir, env: cleanEnv() }));
  const bus = open('bus');
  for (let i = 0; i < MORE; i++) await open(`more${i}`)({ do: 'join', rooms: ['nobody'], into: ['nowhere'] });
  const [here, elsewhere, other] = [objectId(), objectId(), objectId()];
  await bus({ do: 'join', rooms: [`user:${user}`], into: [here] });

  // What the pod does anyway is told apart by how long it took.
  const idle = [cpu(pod.program.pid), cpu(redis.program.pid), Date.now()];
  await new Promise((done) => { setTimeout(done, 3_000); });
  const idleMs = Date.now() - idle[2];
  const calm = [(cpu(pod.program.pid) - idle[0]) / idleMs, (cpu(redis.program.pid) - idle[1]) / idleMs];

  const cost = async (what, command) => {
    await bus({ do: 'publish', count: 5_000, bytes: BYTES, ...command, rate: 0 }); // warm
    const podCosts = [], redisCosts = [];
    for (let i = 0; i < ROUNDS; i++) {
      const count = command.rate ? command.rate * 3 : COUNT;
      const before = [cpu(pod.program.pid), cpu(redis.program.pid), Date.now()];
      await bus({ do: 'publish', count, bytes: BYTES, ...command });
      const ms = Date.now() - before[2];
      podCosts.push((cpu(pod.program.pid) - before[0] - calm[0] * ms) / count);
      redisCosts.push((cpu(redis.program.pid) - before[1] - calm[1] * ms) / count);
    }
    rows.push({ adapter, what, pod: median(podCosts), low: Math.min(...podCosts), high: Math.max(...podCosts), redis: median(redisCosts) });
    const last = rows.at(-1);
    console.error(`${adapter}: ${what}: ${last.pod.toFixed(2)} (${last.low.toFixed(2)} … ${last.high.toFixed(2)}) µs, Redis ${last.redis.toFixed(2)} µs`);
  };
  await cost('one room, none here', { rooms: [elsewhere] });
  await cost(`one room, none here, ${RATE} a second`, { rooms: [elsewhere], rate: RATE });
  await cost('two rooms, none here', { rooms: [elsewhere, other] });
  await cost('one room, one socket here', { rooms: [here] });
}

const dir = mkdtempSync(join(tmpdir(), 'parley-bus-'));
try {
  const fast = start('fastmongo', built('fastmongo'), ['127.0.0.1:0'], { dir, env: cleanEnv() });
  const mongo = await fast.line((l) => l.startsWith('mongodb://') && l.trim());
  const rows = [];
  const before = busy();
  for (const adapter of ADAPTERS) {
    const own = join(dir, adapter);
    mkdirSync(own);
    await measure(adapter, own, mongo, rows);
    while (programs.length > 1) await programs.pop().kill();
  }
  console.log(`${machine()}; load average ${before} before, ${busy()} after${MORE ? `; ${MORE} more pods listen` : ''}\n`);
  console.log('| adapter | message to | pod, µs CPU | lowest … highest | Redis, µs CPU |');
  console.log('| --- | --- | ---: | ---: | ---: |');
  for (const r of rows) console.log(`| \`${r.adapter}\` | ${r.what} | ${r.pod.toFixed(2)} | ${r.low.toFixed(2)} … ${r.high.toFixed(2)} | ${r.redis.toFixed(2)} |`);
} finally {
  for (const p of programs.toReversed()) await p.kill();
  rmSync(dir, { recursive: true, force: true });
}
