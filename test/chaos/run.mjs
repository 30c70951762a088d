// One run from beginning to end: a world, its people, what breaks, and then the silence in which all has to come right.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { sleep, waitFor } from '../e2e/harness/wait.mjs';
import { gather } from './cast.mjs';
import { check } from './check.mjs';
import { Faults } from './faults.mjs';
import { History } from './history.mjs';
import { newPlan } from './plan.mjs';
import { Random } from './random.mjs';
import { settings } from './settings.mjs';
import { binaries, World } from './world.mjs';

const settled = 15_000; // the longest that what was missed may take once nothing is broken any more
const within = (ms, fn) => waitFor(fn, ms).then(() => true, () => false);

// What is broken: the commit, and whether there is more; in an exported tree nobody knows.
function describe() {
  const git = (...args) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no', '--', '../../*.go') ? '-changed' : '');
  } catch { return 'unknown'; }
}
export const commit = describe();

export async function run({ seed, kinds, ms, adapter, file, env }) {
  const history = new History(file);
  history.add('run', { commit, seed, kinds, ms, adapter, settings, env });
  const stopLag = lag(history);
  const world = new World(history, { adapter, env });
  try {
    binaries();
    await world.start();
    await happen(world, history, { seed, kinds, ms });
  } catch (err) {
    history.add('problem', { what: 'the run', why: String(err.stack ?? err) });
  } finally {
    stopLag();
    await world.close().catch((err) => history.add('problem', { what: 'the end', why: String(err.stack ?? err) }));
    history.add('end');
    history.close();
  }
  const result = { ...check(history.events), file, logs: world.dir };
  if (!result.bad.length) rmSync(world.dir, { recursive: true, force: true });
  return result;
}

async function happen(world, history, { seed, kinds, ms }) {
  const random = new Random(seed);
  const { people, seats, senders, members } = await gather(world, history, random);
  for (const seat of seats) seat.open();
  const missing = () => seats.filter((s) => !s.page.connected);
  await waitFor(() => !missing().length, 45_000, () => `all to connect, not yet ${missing().map((s) => s.name)}`);
  let over = false;
  const talks = senders.map((s) => s.talk(() => over));
  await sleep(1_000);
  const began = Date.now();
  await new Faults({ world, history, random: new Random(seed + 1), seats, members }).run(newPlan(seed, kinds, ms));
  await sleep(began + ms - Date.now());
  over = true;
  await Promise.all(talks);
  await settle(world, history, seats, people);
  await leave(world, history, seats, people);
}

// Everybody comes back by themselves and is sent all that is owed.
async function settle(world, history, seats, people) {
  history.add('settling');
  if (!await within(45_000, () => seats.every((s) => s.page.connected))) {
    for (const s of seats.filter((x) => !x.page.connected)) history.add('problem', { what: 'not back', page: s.page.name, why: `${s.version} ${s.how} did not come back by itself` });
  }
  for (const m of await world.stored()) {
    history.add('stored', { id: m._id.toString(), tag: m.textMessage?.split(' ', 1)[0], sender: m.senderId.toString(), chat: m.chatId.toString(), at: m.createdAt.getTime() });
  }
  await within(settled, async () => {
    await sleep(500);
    return !check(history.events).found.some((f) => f.what === 'lost');
  });
  await sleep(2_000); // and nothing comes again
  await sets(world, history, seats, people, 'settled');
}

// What Redis holds; a socket that just moved has a moment.
async function sets(world, history, seats, people, when, ms = 2 * settings.presenceTTL) {
  const look = () => Promise.all(people.map(async (user) => ({
    user, ids: await world.sockets(user), expected: seats.filter((s) => s.user === user && s.page.connected).map((s) => s.page.sid),
  })));
  const right = (all) => all.every(({ ids, expected }) => ids.length === expected.length && expected.every((id) => id === '?' || ids.includes(id)));
  await within(ms, async () => { await sleep(200); return right(await look()); });
  for (const set of await look()) history.add('set', { ...set, when });
}

// All but a few go for good, and those are told so; then they go, too.
async function leave(world, history, seats, people) {
  const staying = seats.slice(20, 28);
  const going = seats.filter((s) => !staying.some((t) => t.user === s.user));
  await sleep(1_500);
  history.add('leaving', { staying: staying.map((s) => s.name) });
  const since = Date.now();
  for (const s of going) s.close();
  const patience = settings.pingInterval + settings.pingTimeout + 2 * settings.presenceTTL + settings.presenceGrace + 6_000;
  const gone = new Set(going.map((s) => s.user));
  await within(patience, async () => {
    await sleep(500);
    const told = new Set(history.events.filter((e) => e.e === 'told' && !e.online && e.t > since).map((e) => `${e.page} ${e.user}`));
    return staying.every((s) => [...gone].every((u) => told.has(`${s.page.name} ${u}`)));
  });
  await sleep(3_000); // and nobody is told again
  history.add('told all', {});
  for (const s of staying) s.close();
  await sets(world, history, seats, people, 'left', 2 * settings.presenceTTL + 5_000);
}

// How long this process is held up, at the cost of what it measures.
function lag(history) {
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - last > 70) history.add('lag', { ms: now - last - 20 });
    last = now;
  }, 20);
  return () => clearInterval(timer);
}
