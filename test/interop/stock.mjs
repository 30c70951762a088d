// test/stock: the library that was named for this project, as it comes, on a pod of its own.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startControlled } from './cluster.mjs';

// What the go command says where it cannot fetch modules. Whatever else goes wrong is a failure.
const unreachable = /dial tcp|no such host|connection refused|i\/o timeout|module lookup disabled|reading \S+: \d{3} /;

// Builds the pod; the go command has it in its cache from the second time on.
export function buildStock() {
  const dir = mkdtempSync(join(tmpdir(), 'parley-stock-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'stock');
  try {
    execFileSync('go', ['build', '-o', file, '.'], { cwd: fileURLToPath(new URL('../stock', import.meta.url)), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 240_000 });
  } catch (err) {
    const said = `${err.stderr ?? ''}${err.message}`;
    if (!unreachable.test(said)) throw err;
    return { skip: `test/stock needs modules: ${said.split('\n').find((line) => unreachable.test(line))}` };
  }
  return { file };
}

export async function startStock(world, file) {
  const pod = await startControlled('stock', 'stock', world.dir, [file], { REDIS_URL: world.env.REDIS_URL });
  world.pods.push(pod);
  return pod;
}
