// Measures Parley beside others, in one run and with one table; README.md says how to read it, docs/BENCHMARKS.md
// has the last full one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openModels } from '../e2e/harness/models.mjs';
import { busy, machine, Results, write } from './report.mjs';
import { engineClients, engineRooms, engines, people, products, startDatabase, startEngine, startProduct } from './servers.mjs';

const defaults = { BENCH_SOCKETS: 5_000, BENCH_MANY: 19_500, BENCH_ROUNDS: 3, BENCH_MS: 1_000, BENCH_IDLE_MS: 25_000 };
const setting = Object.fromEntries(Object.entries(defaults).map(([k, v]) => [k, Number(process.env[k] || v)]));
const { BENCH_SOCKETS: SOCKETS, BENCH_MANY: MANY, BENCH_ROUNDS: ROUNDS, BENCH_MS: SPAN, BENCH_IDLE_MS: IDLE } = setting;
const full = Object.keys(defaults).every((k) => setting[k] === defaults[k]);

const SIZES = [5, 100, 1000].filter((n) => n <= SOCKETS);
const WARM = 300; // ms
const SETTLE = 3_000; // ms until what connecting left behind is gone
const UNDER_WAY = 0.8 * SOCKETS; // deliveries, in closed load: less than one a socket, so that none are read, or written, together
const PACE = { engine: 20_000, product: 5_000 }; // deliveries a second, in paced load

const results = new Results();
const wrong = new Map(); // server -> [lost, twice, reordered]
const began = Date.now();
const say = (text) => console.error(`${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

// Servers take turns, and who begins changes, so that nobody always comes after the same one.
async function rounds(servers, measure) {
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < servers.length; i++) await measure(servers[(i + round) % servers.length]);
  }
}

function count(group, server, r) {
  for (const what of ['lost', 'twice', 'reordered']) {
    const row = `${group}: ${what === 'reordered' ? 'out of order' : what}, in all`;
    const key = `${row} ${server.kind}`;
    wrong.set(key, { row, kind: server.kind, n: (wrong.get(key)?.n ?? 0) + r[what] + (what === 'twice' ? r.stray : 0) });
  }
  server.dropped = r.dropped;
}

function noteWrong(group, servers) {
  for (const { row, kind, n } of wrong.values()) results.note(row, kind, n);
  wrong.clear();
  for (const s of servers) results.note(`${group}: connections dropped`, s.kind, s.dropped);
}

// Starts servers and connects their clients, one after the other.
async function up(kinds, start, clients) {
  const running = [];
  for (const kind of kinds) {
    const server = await start(kind);
    all.add(server);
    server.connected = await server.connect(clients(kind));
    if (server.connected.again) say(`${kind}: ${server.connected.again} connections only at another attempt`);
    running.push(server);
  }
  return running;
}

const all = new Set();
async function down(servers) {
  await Promise.all(servers.map((s) => s.kill()));
  for (const s of servers) all.delete(s);
}

const idle = (servers, ms) => Promise.all(servers.map((s) => s.ask({ do: 'idle', ms })));
const kib = (n) => n / 1024;

// What connecting and holding sockets costs. Returns the servers of the last round.
async function connecting(group, kinds, start, clients, n) {
  let running = [];
  for (let round = 0; round < ROUNDS; round++) {
    await down(running);
    running = await up(kinds, start, clients);
    const settled = await idle(running, SETTLE);
    running.forEach((s, i) => {
      results.note(`${group}: µs CPU a connect`, s.kind, s.connected.us_per_connect);
      results.note(`${group}: connects/s`, s.kind, s.connected.connected / s.connected.seconds);
      results.note(`${group}: connects that took another attempt`, s.kind, s.connected.again);
      results.note(`${group}: KiB a socket, ${n.toLocaleString('en')} idle`, s.kind, kib((settled[i].rss - s.connected.rss_before) / n));
    });
    say(`${group}: connected, round ${round + 1}`);
  }
  (await idle(running, IDLE)).forEach((r, i) => results.note(`${group}: ms CPU a second, ${n.toLocaleString('en')} idle`, running[i].kind, r.cpu_ms_per_s));
  return running;
}

async function engineMessages(running, total) {
  const emit = (s, size, bytes, more) => s.ask({ do: 'emit', warm: WARM, ms: SPAN, bytes, rooms: engineRooms(total, size), control: total, ...more });
  const saturated = async (size, bytes) => {
    const where = `rooms of ${size.toLocaleString('en')}, ${bytes} B`;
    await rounds(running, async (s) => {
      const r = await emit(s, size, bytes, { window: Math.max(4, Math.round(UNDER_WAY / size)) });
      results.note(`engine: µs CPU a delivery, ${where}`, s.kind, r.us_per_delivery);
      results.note(`engine: deliveries/s, ${where}`, s.kind, r.per_s);
      count('engine', s, r);
    });
    say(`engine: ${where}`);
  };
  for (const size of SIZES) await saturated(size, 200);
  for (const bytes of [1024, 4096]) await saturated(SIZES[1] ?? SIZES[0], bytes);
  for (const size of SIZES.slice(1)) {
    const where = `rooms of ${size.toLocaleString('en')}, paced`;
    await rounds(running, async (s) => {
      const r = await emit(s, size, 200, { rate: PACE.engine / size });
      results.note(`engine: ms to receipt, p50, ${where}`, s.kind, r.p50_ms);
      results.note(`engine: ms to receipt, p99, ${where}`, s.kind, r.p99_ms);
      count('engine', s, r);
    });
    say(`engine: ${where}`);
  }
  noteWrong('engine', running);
}

async function productMessages(running, chatsOf) {
  const fanout = (s, size, more) => {
    const chats = chatsOf.get(s.kind).filter((c) => c.size === size);
    return s.ask({ do: 'fanout', warm: WARM, ms: SPAN, bytes: 200, rooms: chats.map((c) => c.id), tokens: chats.map((c) => c.token), workers: 8, ...more });
  };
  for (const size of SIZES) {
    const where = `rooms of ${size.toLocaleString('en')}`;
    await rounds(running, async (s) => {
      const r = await fanout(s, size, { window: Math.min(16, Math.max(4, Math.round(UNDER_WAY / size))) });
      results.note(`product: µs CPU a delivery, ${where}`, s.kind, r.us_per_delivery);
      results.note(`product: deliveries/s, ${where}`, s.kind, r.per_s);
      count('product', s, r);
    });
    say(`product: ${where}`);
  }
  for (const size of SIZES) {
    const where = `rooms of ${size.toLocaleString('en')}, paced`;
    await rounds(running, async (s) => {
      const r = await fanout(s, size, { rate: Math.min(100, PACE.product / size) });
      results.note(`product: ms from POST to the last receipt, p50, ${where}`, s.kind, r.last_p50_ms);
      results.note(`product: ms from POST to the last receipt, p99, ${where}`, s.kind, r.last_p99_ms);
      count('product', s, r);
    });
    say(`product: ${where}`);
  }
  noteWrong('product', running);
}

// Databases with chats in them.
let databases = 0;
async function seeded(mongo, parts) {
  const name = `bench${databases++}`;
  const world = people(parts);
  const { connection, Chat } = await openModels(`${mongo.uri}${name}`);
  try {
    for (let i = 0; i < world.chats.length; i += 1_000) {
      await Chat.insertMany(world.chats.slice(i, i + 1_000).map((c) => ({ _id: c.id, participants: c.members })));
    }
  } finally { await connection.close(); }
  return { name, ...world };
}

async function main(dir) {
  const before = busy();
  const start = (kind) => startEngine(kind, dir);
  const clients = engineClients(SOCKETS, SIZES);
  let running = await connecting('engine', engines, start, () => clients, SOCKETS);
  await engineMessages(running, SOCKETS);
  await down(running);

  const mongo = await startDatabase(dir);
  all.add({ kill: () => mongo.program.kill() });
  // Everybody is told who comes online, so that a large chat costs its members squared; who connects here is in a small one.
  const world = await seeded(mongo, [{ size: 5, count: Math.floor(Math.max(SOCKETS, MANY) / 5) }]);
  const first = world.clients.slice(0, SOCKETS);
  const product = (of) => (kind) => startProduct(kind, dir, mongo.uri, of.name);
  await down(await connecting('product', products, product(world), () => first, first.length));

  const worlds = new Map();
  const parts = SIZES.map((size) => ({ size, count: Math.max(1, Math.floor((size === 1000 ? 1_000 : 2_000) / size * Math.min(1, SOCKETS / 5_000))) }));
  for (const kind of products) worlds.set(kind, await seeded(mongo, parts));
  running = await up(products, (kind) => product(worlds.get(kind))(kind), (kind) => worlds.get(kind).clients);
  await idle(running, SETTLE);
  await productMessages(running, new Map(products.map((kind) => [kind, worlds.get(kind).chats])));
  await down(running);

  if (MANY > 0) {
    const many = engineClients(MANY - 1, []);
    running = await up(engines, start, () => many);
    const groups = running.map(() => 'engine');
    say(`engine: ${MANY} connected`);
    const whole = await up(products, product(world), () => world.clients.slice(0, MANY));
    groups.push(...whole.map(() => 'product'));
    say(`product: ${MANY} connected`);
    running.push(...whole);
    await idle(running, SETTLE);
    const told = await idle(running, IDLE);
    for (const group of ['engine', 'product']) {
      running.forEach((s, i) => {
        if (groups[i] !== group) return;
        const n = `${MANY.toLocaleString('en')} idle`;
        results.note(`${group}: KiB a socket, ${n}`, s.kind, kib((told[i].rss - s.connected.rss_before) / MANY));
        results.note(`${group}: MiB in all, ${n}`, s.kind, told[i].rss / 2 ** 20);
        results.note(`${group}: ms CPU a second, ${n}`, s.kind, told[i].cpu_ms_per_s);
      });
    }
    await down(running);
  }

  const about = `${new Date().toISOString().slice(0, 10)}; ${machine()}; load average ${before} before, ${busy()} after; ${((Date.now() - began) / 1000).toFixed(0)} s`;
  const what = `${SOCKETS.toLocaleString('en')} sockets a server, ${ROUNDS} rounds of ${SPAN / 1000} s`;
  const table = results.table();
  console.log(`${table}\n\n${what}. ${about}.`);
  if (full) write(fileURLToPath(new URL('../../docs/BENCHMARKS.md', import.meta.url)), `${what}. ${about}.\n\n${table}`);
}

const dir = mkdtempSync(join(tmpdir(), 'parley-bench-'));
try {
  await main(dir);
  rmSync(dir, { recursive: true, force: true });
} catch (err) {
  console.error(`${err.stack}\nThe logs are in ${dir}.`);
  process.exitCode = 1;
} finally {
  await Promise.all([...all].map((s) => s.kill()));
}
process.exit();
