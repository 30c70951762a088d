// Measures Parley beside others, in one run and with one table; README.md says how to read it, docs/BENCHMARKS.md
// has the last full one.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measureEngines } from './engines.mjs';
import { down, endAll, ends, idle, kib, number, results, say, seconds, up } from './measures.mjs';
import { crowd, measureConnects, measureMessages, measurePods, seeded } from './products.mjs';
import { busy, machine, write } from './report.mjs';
import { engineClients, engines, products, startDatabase, startEngine, startProduct } from './servers.mjs';
import { among, CROWD, full, IDLE, MANY, ROUNDS, SETTLE, SOCKETS, SPAN, wanted } from './settings.mjs';
import { targets } from './targets.mjs';

// All servers at once with as many sockets as a process may have files.
async function measureMany(dir, mongo) {
  // Everybody is told who comes online, so that a large chat costs its members squared; who connects here is in a small one.
  const world = await seeded(mongo, [{ size: 5, count: Math.floor(MANY / 5) }]);
  const many = engineClients(MANY - 1, []);
  // The stock library takes a minute to connect them, and its memory a socket is known from fewer.
  const running = await up(among(engines).filter((kind) => kind !== 'stock'), (kind) => startEngine(kind, dir), () => many);
  const groups = running.map(() => 'engine');
  say(`engine: ${MANY} connected`);
  const whole = await up(among(products), (kind) => startProduct(kind, dir, mongo.uri, world.name), () => world.clients);
  groups.push(...whole.map(() => 'product'));
  say(`product: ${MANY} connected`);
  running.push(...whole);
  await idle(running, SETTLE);
  const told = await idle(running, IDLE);
  for (const group of ['engine', 'product']) {
    running.forEach((s, i) => {
      if (groups[i] !== group) return;
      const n = `${number(MANY)} idle`;
      results.note(`${group}: KiB a socket, ${n}`, s.kind, kib((told[i].rss - s.connected.rss_before) / MANY));
      results.note(`${group}: MiB in all, ${n}`, s.kind, told[i].rss / 2 ** 20);
      results.note(`${group}: ms CPU a second, ${n}`, s.kind, told[i].cpu_ms_per_s);
    });
  }
  await down(running);
}

async function main(dir) {
  const before = busy();
  if (wanted('engine')) await measureEngines(dir);
  const mongo = await startDatabase(dir);
  ends(mongo.program);
  if (wanted('connect')) await measureConnects(dir, mongo, 5, SOCKETS, true);
  if (wanted('crowd')) await measureConnects(dir, mongo, CROWD, crowd, false);
  if (wanted('messages')) await measureMessages(dir, mongo);
  if (wanted('pods')) await measurePods(dir, mongo);
  if (wanted('many')) await measureMany(dir, mongo);

  const about = `${new Date().toISOString().slice(0, 10)}; ${machine()}; load average ${before} before, ${busy()} after; ${seconds()} s`;
  const what = `${number(SOCKETS)} sockets a server, ${ROUNDS} rounds of ${SPAN / 1000} s`;
  const table = results.table();
  const met = targets(results);
  console.log(`${table}\n\n${met}\n\n${what}. ${about}.`);
  if (!full) return;
  const root = fileURLToPath(new URL('../..', import.meta.url));
  write(join(root, 'docs/BENCHMARKS.md'), `${what}. ${about}.\n\n${table}\n\n### Targets\n\n${met}`);
  execFileSync('go', ['run', './test/bench/scale', '-write', 'docs/SCALING.md'], { cwd: root, stdio: 'inherit' }); // which calculates with it
}

const dir = mkdtempSync(join(tmpdir(), 'parley-bench-'));
try {
  await main(dir);
  rmSync(dir, { recursive: true, force: true });
} catch (err) {
  console.error(`${err.stack}\nThe logs are in ${dir}.`);
  process.exitCode = 1;
} finally {
  await endAll();
}
process.exit();
