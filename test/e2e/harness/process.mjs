// Starts programs and makes sure that each of them ends: by the caller, else when this process does.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const live = new Set();

function killAll() {
  for (const p of live) {
    try { process.kill(p.pid, 'SIGKILL'); } catch { /* already gone */ }
  }
}
process.on('exit', killAll);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => { killAll(); process.exit(1); });
}

// A program gets this environment and nothing else, so that a developer's shell cannot change a test.
export function cleanEnv(extra = {}) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME ?? '/tmp', LANG: 'C.UTF-8' };
  for (const [k, v] of Object.entries(extra)) if (v !== undefined && v !== null) env[k] = String(v);
  return env;
}

export class Program {
  constructor(name, file, args, { dir, env, cwd }) {
    this.name = name;
    this.logFile = join(dir, `${name}.log`);
    this.fd = openSync(this.logFile, 'a');
    this.lines = [];
    this.waiters = new Set();
    this.child = spawn(file, args, { env, cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin.on('error', () => {});
    this.pid = this.child.pid;
    if (this.pid) live.add(this);
    for (const stream of ['stdout', 'stderr']) this.#read(stream);
    this.exited = new Promise((resolve) => {
      const end = (result) => {
        live.delete(this);
        this.ended = result;
        for (const check of this.waiters) check();
        resolve(result);
      };
      this.child.on('error', (err) => end({ code: null, signal: null, err }));
      // 'close' comes after the last byte of output, 'exit' may come before it.
      this.child.on('close', (code, signal) => { closeSync(this.fd); end({ code, signal }); });
    });
  }

  #read(stream) {
    let rest = '';
    this.child[stream].setEncoding('utf8').on('data', (chunk) => {
      writeSync(this.fd, chunk);
      rest += chunk;
      const parts = rest.split('\n');
      rest = parts.pop();
      for (const text of parts) this.lines.push({ stream, text });
      for (const check of this.waiters) check();
    }).on('end', () => { if (rest) this.lines.push({ stream, text: rest }); });
  }

  // Resolves with the first truthy result of pick(text, stream) over the lines printed so far and later.
  line(pick, ms = 20_000) {
    return new Promise((resolve, reject) => {
      let next = 0;
      const finish = (fn, value) => { clearTimeout(timer); this.waiters.delete(check); fn(value); };
      const check = () => {
        for (; next < this.lines.length; next++) {
          const found = pick(this.lines[next].text, this.lines[next].stream);
          if (found) return finish(resolve, found);
        }
        if (this.ended) finish(reject, new Error(`${this.name} ended (${JSON.stringify(this.ended)}) first:\n${this.tail()}`));
      };
      const timer = setTimeout(() => finish(reject, new Error(`${this.name}: no such line in ${ms} ms:\n${this.tail()}`)), ms);
      this.waiters.add(check);
      check();
    });
  }

  tail(n = 60) { return this.lines.slice(-n).map((l) => l.text).join('\n'); }

  log() { return readFileSync(this.logFile, 'utf8'); }

  signal(name) { if (!this.ended) process.kill(this.pid, name); }

  // Asks the program to end and insists after ms. Resolves with { code, signal, forced }.
  async stop(ms = 15_000) {
    if (this.ended) return this.ended;
    let forced = false;
    this.signal('SIGTERM');
    const timer = setTimeout(() => { forced = true; this.signal('SIGKILL'); }, ms);
    const result = await this.exited;
    clearTimeout(timer);
    return { ...result, forced };
  }

  async kill() {
    this.signal('SIGKILL');
    return this.exited;
  }
}

// Runs a program to its end and returns what it said.
export async function run(file, args, { dir, env, cwd, ms = 20_000 } = {}) {
  const p = new Program(`run-${Date.now()}-${Math.random().toString(36).slice(2, 6)}`, file, args, { dir, env: env ?? cleanEnv(), cwd });
  p.child.stdin.end();
  const timer = setTimeout(() => p.signal('SIGKILL'), ms);
  const { code, signal } = await p.exited;
  clearTimeout(timer);
  const text = (stream) => p.lines.filter((l) => l.stream === stream).map((l) => l.text).join('\n');
  return { code, signal, stdout: text('stdout'), stderr: text('stderr') };
}
