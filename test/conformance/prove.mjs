// node prove.mjs [file...]: runs the suites against the Node control broken in every way kit/mutants.mjs knows and
// names the tests that never failed. Such a test proves nothing.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mutants } from './kit/mutants.mjs';

const cwd = fileURLToPath(new URL('.', import.meta.url));
const files = process.argv.length > 2 ? process.argv.slice(2) : readdirSync(cwd).filter((f) => f.endsWith('.test.mjs'));

function run(file, mutant) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--test', '--test-force-exit', '--test-timeout=200000', '--test-reporter=tap', file], {
      cwd, env: { ...process.env, CONFORMANCE_TARGET: 'node', CONFORMANCE_MUTANT: mutant, CONFORMANCE_PATIENCE: '1000' },
    });
    let out = '';
    child.stdout.on('data', (c) => { out += c; });
    const timer = setTimeout(() => child.kill('SIGKILL'), 240_000);
    child.on('close', () => {
      clearTimeout(timer);
      const states = new Map();
      for (const m of out.matchAll(/^ *(not ok|ok) \d+ - (.*)$/gm)) states.set(m[2], m[1] === 'ok');
      resolve(states);
    });
  });
}

const killed = new Map(); // file and test -> mutants
process.on('SIGTERM', () => { report(); process.exit(1); });
await Promise.all(files.map(async (file) => {
  for (const mutant of Object.keys(mutants)) {
    for (const [test, passed] of await run(file, mutant)) {
      if (test.endsWith('.mjs')) continue;
      const key = `${file}: ${test}`;
      if (!killed.has(key)) killed.set(key, []);
      if (!passed) killed.get(key).push(mutant);
    }
  }
}));
report();

function report() {
  const blunt = new Set(['no-connect', 'no-session', 'no-messages']); // these fail a test before it comes to its point
  const bluntly = [...killed].filter(([, by]) => by.length > 0 && by.every((m) => blunt.has(m))).map(([k]) => k);
  const alive = [...killed].filter(([, by]) => by.length === 0).map(([k]) => k);
  console.log(`${killed.size} tests, ${killed.size - alive.length} seen to fail`);
  for (const k of bluntly) console.log(`failed only bluntly: ${k}`);
  for (const k of alive) console.log(`never failed: ${k}`);
  process.exitCode = alive.length ? 1 : 0;
}
