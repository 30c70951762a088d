// make faults: single kinds, then pairs, then everything, as long as BUDGET minutes allow, and docs/FAULTS.md of what came of it.
// What was run is kept in RESULTS, a run a line, by commit: another call goes on where that one ended.
// NOTE is put on the page: what a reader should know of the machine, or of the code.
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { summary, tally } from './check.mjs';
import { kinds } from './plan.mjs';
import { page } from './faultpage.mjs';
import { commit, run } from './run.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { SEEDS = '1', MINUTES = '1', BUDGET = '600', ADAPTERS = 'redis', WHAT = 'singles,pairs,everything', NOTE = '', RESULTS = join(root, `bin/faults/${commit}.jsonl`) } = process.env;
mkdirSync(dirname(RESULTS), { recursive: true });

// Those first that broke something once.
const notorious = [
  ['redis paused', 'resets'], ['redis killed', 'pod killed'], ['pod cut off', 'resets'], ['redis killed', 'reloads'], ['redis killed', 'aways'],
  ['pod killed', 'aways'], ['members', 'resets'], ['pod killed', 'resets'], ['pod killed', 'reloads'], ['redis flushed', 'aways'],
  ['pod cut off', 'reloads'], ['pod killed', 'members'], ['redis paused', 'reloads'], ['mongo paused', 'resets'], ['pod restarted', 'resets'],
];

function combinations() {
  const all = Object.keys(kinds);
  const pairs = all.flatMap((a, i) => all.slice(i + 1).map((b) => [a, b]));
  const known = (p) => notorious.some((n) => p.every((k) => n.includes(k)));
  const sets = { singles: all.map((k) => [k]), pairs: [...pairs.filter(known), ...pairs.filter((p) => !known(p))], everything: [all] };
  return WHAT.split(',').flatMap((w) => sets[w.trim()] ?? [w.split('+').map((k) => k.trim())]);
}

const results = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)) : [];
const done = (r) => results.some((x) => x.seed === r.seed && x.adapter === r.adapter && x.kinds.join() === r.kinds.join());
const end = Date.now() + Number(BUDGET) * 60_000;

for (const seed of SEEDS.split(',').map(Number)) {
  for (const adapter of ADAPTERS.split(',')) {
    for (const names of combinations()) {
      const one = { seed, adapter, kinds: names };
      if (done(one) || Date.now() > end) continue;
      const file = join(dirname(RESULTS), `${adapter}-${names.length > 3 ? 'everything' : names.join('+').replaceAll(' ', '_')}-${seed}.jsonl`);
      const result = await run({ ...one, ms: Number(MINUTES) * 60_000, file });
      console.log(`${names.length > 3 ? 'everything' : names.join(' + ')}, ${adapter}, seed ${seed}: ${summary(result)}`);
      const line = { ...one, minutes: Number(MINUTES), commit, count: result.count, tally: tally(result.found), sockets: result.book.sets.length, messages: result.book.messages.size };
      results.push(line);
      appendFileSync(RESULTS, `${JSON.stringify(line)}\n`);
      writeFileSync(join(root, 'docs/FAULTS.md'), page(results, NOTE));
    }
  }
}
writeFileSync(join(root, 'docs/FAULTS.md'), page(results, NOTE));
process.exit(0);
