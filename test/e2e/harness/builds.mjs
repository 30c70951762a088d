// Where the programs under test are. The Makefile names them; a developer who runs one file gets them built.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

function build(variable, pkg) {
  const given = process.env[variable];
  if (given) {
    if (!existsSync(given)) throw new Error(`${variable}=${given}: no such file`);
    return given;
  }
  const dir = join(tmpdir(), `parley-e2e-bin-${process.getuid?.() ?? 'user'}`);
  mkdirSync(dir, { recursive: true });
  const out = join(dir, pkg.split('/').pop());
  execFileSync('go', ['build', ...(process.env.PARLEY_RACE ? ['-race'] : []), '-o', out, pkg], { cwd: root, stdio: 'inherit' });
  process.env[variable] = out;
  return out;
}

export const parleyBin = () => build('PARLEY_BIN', './cmd/parley');
// Without the race detector, which makes the embedded database ten times as slow: where times are asserted.
export const plainBin = () => (process.env.PARLEY_PLAIN_BIN ? build('PARLEY_PLAIN_BIN', './cmd/parley') : parleyBin());
export const mongodBin = () => build('MONGOD_BIN', './test/cmd/mongod');
export const fastmongoBin = () => build('FASTMONGO_BIN', './test/bench/fastmongo');
export const busBin = () => build('BUS_BIN', './test/cmd/bus');
export const redisBin = () => process.env.REDIS_SERVER_BIN ?? 'redis-server';
