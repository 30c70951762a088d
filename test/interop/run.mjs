// Runs the suites: all of them, or those named as arguments, over each adapter in turn.
// INTEROP_SUBJECT=node tests the tests; SOCKETIO_ADAPTER chooses one adapter.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(here).filter((f) => f.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some((n) => f.startsWith(n)))).sort();
if (files.length === 0) throw new Error(`no such suite: ${wanted}`);
const adapters = process.env.SOCKETIO_ADAPTER ? [process.env.SOCKETIO_ADAPTER] : ['redis', 'redis-sharded', 'redis-streams'];

let child;
for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => { adapters.length = 0; child?.kill(s); });

while (adapters.length > 0) {
  const adapter = adapters.shift();
  console.log(`--- SOCKETIO_ADAPTER=${adapter}`);
  // Two at a time: every suite has a Redis, a MongoDB and pods of its own.
  child = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-timeout=300000', '--test-reporter=spec', ...files], {
    cwd: here, stdio: 'inherit', env: { ...process.env, SOCKETIO_ADAPTER: adapter },
  });
  const code = await new Promise((resolve) => { child.on('exit', (status) => resolve(status ?? 1)); });
  process.exitCode ||= code;
}
