// Parley beside a Node server of the same flow and the raw floor, in one run. README.md says how to read it.
// It writes a table to stdout and nothing else.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { post } from '../e2e/harness/http.mjs';
import { openModels } from '../e2e/harness/models.mjs';
import { token } from '../e2e/harness/token.mjs';
import { sleep } from '../e2e/harness/wait.mjs';
import { startMongod } from '../e2e/harness/world.mjs';
import { cpu, mean, quantile, rss, table } from './measure.mjs';
import { startFloor, startNode, startParley, world } from './servers.mjs';

const SOCKETS = Number(process.env.BENCH_SOCKETS || 1000);
const SIZES = [5, 100, 1000].filter((n) => n <= SOCKETS);
const ROUNDS = Number(process.env.BENCH_ROUNDS || 3); // of A B C, A B C, …
const DELIVERIES = Number(process.env.BENCH_DELIVERIES || 60_000); // in each round
const UNDER_WAY = 10_000; // deliveries asked for at a time: no queue grows long
const POSTS = 40; // in each round, one after the other

const results = new Map(); // server -> measure -> [value of each round]
function note(server, measure, value) {
  const m = results.get(server) ?? new Map();
  results.set(server, m);
  m.set(measure, [...(m.get(measure) ?? []), value]);
}

// Broadcasts to every room of a size in turn until enough was delivered.
async function fanOut(server, size, rooms, deliveries) {
  await server.load.ask('reset');
  const before = cpu(server.pid);
  const start = process.hrtime.bigint();
  let asked = 0;
  let turn = 0;
  while (asked < deliveries) {
    for (const goal = asked + UNDER_WAY; asked < goal; asked += size) {
      const room = rooms[turn++ % rooms.length];
      server.broadcast(room.id, room.sender);
    }
    await server.load.ask('expect', { count: asked, ms: 60_000 });
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  return { rate: asked / seconds, cost: (cpu(server.pid) - before) / asked };
}

// One broadcast to every room. It fails where a socket is not in all of its rooms.
async function everybodyIn(server, rooms) {
  await server.load.ask('reset');
  for (const room of rooms) server.broadcast(room.id, room.sender);
  await server.load.ask('expect', { count: rooms.reduce((n, r) => n + r.size, 0), ms: 60_000 });
}

// Posts one after the other; the time from each post's first byte to each socket's receipt, in ms.
async function latency(server, rooms, sign) {
  await server.load.ask('reset');
  await server.load.ask('latencies', { on: true });
  const sent = new Map();
  let due = 0;
  for (let n = 0; n < POSTS; n++) {
    const room = rooms[n % rooms.length];
    const tag = sign * 1000 + n;
    sent.set(tag, process.hrtime.bigint());
    const res = await post(server.pod, token(room.sender), { chatId: room.id, text: `lat:${tag}` });
    if (res.status !== 201) throw new Error(`${server.name}: ${res.status} ${res.body}`);
    due += room.size;
    await server.load.ask('expect', { count: due, ms: 10_000 });
  }
  const arrivals = await server.load.ask('latencies', { on: false });
  return arrivals.map(([tag, at]) => Number(BigInt(at) - sent.get(tag)) / 1e6);
}

async function main() {
  const dir = mkdtempSync(join(tmpdir(), 'parley-bench-'));
  mkdirSync(join(dir, 'mongo'), { recursive: true });
  const began = Date.now();
  const running = [];
  const models = [];
  let mongod;
  try {
    mongod = await startMongod(dir);
    const base = mongod.uri.endsWith('/') ? mongod.uri : `${mongod.uri}/`;
    const parley = await startParley(dir, base);
    running.push(parley);
    const node = await startNode(dir, base);
    running.push(node);
    const floor = await startFloor(dir);
    running.push(floor);
    for (const s of [parley, node]) models.push(s.models = await openModels(`${base}${s.name.toLowerCase()}`));
    const all = await world(models, SOCKETS, SIZES);
    const { rooms, chats } = all;

    for (const s of running) {
      const idle = rss(s.pid);
      await s.connect(all);
      await everybodyIn(s, Object.values(rooms).flat());
      await sleep(3_000); // what connecting left behind settles
      note(s, 'memory', (rss(s.pid) - idle) / SOCKETS);
    }
    for (const s of running) for (const size of SIZES) await fanOut(s, size, rooms[size], DELIVERIES / 4); // warm
    for (const size of SIZES) {
      for (let round = 0; round < ROUNDS; round++) {
        for (const s of running) {
          const { rate, cost } = await fanOut(s, size, rooms[size], DELIVERIES);
          note(s, `rate ${size}`, rate);
          note(s, `cost ${size}`, cost);
        }
      }
    }
    for (const size of SIZES.slice(0, 2)) {
      for (let round = 0; round < ROUNDS; round++) {
        for (const s of [parley, node]) {
          const times = await latency(s, chats[size], size * 10 + round);
          note(s, `p50 ${size}`, quantile(times, 0.5));
          note(s, `p99 ${size}`, quantile(times, 0.99));
        }
      }
    }
    print(running, (Date.now() - began) / 1000);
  } finally {
    for (const m of models) await m.connection.close();
    await Promise.all(running.map((s) => s.stop()));
    await mongod?.program.stop(3_000);
    rmSync(dir, { recursive: true, force: true });
  }
}

function print([parley, node, floor], seconds) {
  const rows = [['', 'Parley', 'Node', 'floor', 'Parley/Node', 'Parley/floor', 'spread']];
  const row = (title, measure, digits = 1) => {
    const [p, n, f] = [parley, node, floor].map((s) => results.get(s)?.get(measure));
    const show = (list) => (list ? mean(list).toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }) : '-');
    const ratio = (list) => (list ? (mean(p) / mean(list)).toFixed(2) : '-');
    const spread = [p, n, f].filter((l) => l?.length > 1).map((l) => (Math.max(...l) - Math.min(...l)) / mean(l));
    rows.push([title, show(p), show(n), show(f), ratio(n), ratio(f), spread.length ? `±${(50 * Math.max(...spread)).toFixed(0)} %` : '-']);
  };
  for (const size of SIZES) row(`deliveries/s, rooms of ${size}`, `rate ${size}`, 0);
  for (const size of SIZES) row(`µs CPU a delivery, rooms of ${size}`, `cost ${size}`);
  row(`KiB RSS an idle socket, ${SOCKETS} sockets`, 'memory');
  for (const size of SIZES.slice(0, 2)) {
    row(`ms POST to delivery, p50, rooms of ${size}`, `p50 ${size}`);
    row(`ms POST to delivery, p99, rooms of ${size}`, `p99 ${size}`);
  }
  console.log(table(rows));
  console.log(`\n${SOCKETS} sockets on each, ${ROUNDS} interleaved rounds of ${DELIVERIES.toLocaleString('en')} deliveries; ${cpus().length} × ${cpus()[0].model}; Node ${process.version}; ${seconds.toFixed(0)} s`);
}

await main();
