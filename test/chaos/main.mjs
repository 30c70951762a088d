// make chaos: one run, or several, of the kinds that are named. What broke a promise is printed with all that is known about it.
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { summary } from './check.mjs';
import { explain } from './explain.mjs';
import { parseKinds } from './plan.mjs';
import { run } from './run.mjs';

// Sets of kinds are separated by semicolons. TRIES=2: a run has to break twice, since what is under way is known to nobody.
const { SEED = '1', MINUTES = '1', KINDS = '', ADAPTER = 'redis', RUNS = '1', TRIES = '1' } = process.env;
const dir = join(tmpdir(), `parley-chaos-histories-${process.getuid?.() ?? 'user'}`);
mkdirSync(dir, { recursive: true });

async function once(kinds, seed, attempt) {
  const name = kinds.length > 3 ? 'everything' : kinds.join('+').replaceAll(' ', '_');
  const file = join(dir, `${ADAPTER}-${name}-${seed}${attempt > 1 ? `-${attempt}` : ''}.jsonl`);
  console.log(`chaos: ${kinds.join(', ')}; seed ${seed}, ${MINUTES} minutes, ${ADAPTER}`);
  const result = await run({ seed, kinds, ms: Number(MINUTES) * 60_000, adapter: ADAPTER, file });
  console.log(`chaos: ${summary(result)}\nchaos: history in ${file}`);
  if (!result.bad.length) return true;
  const [first] = result.bad;
  console.log(`chaos: BROKEN, seed ${seed}; the pods' logs are in ${result.logs}. The first of ${result.bad.length}:\n`);
  console.log(first.user && !first.id ? explain(result.book, undefined, first.user, first.page) : explain(result.book, first.id, first.page));
  console.log(`\n${first.what}: ${first.why}\n\nchaos: more with: node test/chaos/explain.mjs ${file} [ID] [PAGE]`);
  return false;
}

let failed = false;
for (const set of KINDS.split(';').map(parseKinds)) {
  for (let seed = Number(SEED); seed < Number(SEED) + Number(RUNS); seed++) {
    let whole = false;
    for (let attempt = 1; !whole && attempt <= Number(TRIES); attempt++) whole = await once(set, seed, attempt);
    failed ||= !whole;
  }
}
process.exit(failed ? 1 : 0);
