// Runs the suites: all of them, or those named as arguments.
// INTEROP_SUBJECT=node tests the tests; SOCKETIO_ADAPTER chooses the adapter.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(here).filter((f) => f.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some((n) => f.startsWith(n)))).sort();
if (files.length === 0) throw new Error(`no such suite: ${wanted}`);
// Two at a time: every suite has a Redis, a MongoDB and pods of its own.
const child = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-timeout=120000', '--test-reporter=spec', ...files], { cwd: here, stdio: 'inherit' });
for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => child.kill(s));
child.on('exit', (code) => { process.exitCode = code ?? 1; });
