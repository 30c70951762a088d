// The captures the codec is held to are what the stock packages write today.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { adapter, only } from './cluster.mjs';

const golden = (file) => fileURLToPath(new URL(`../golden/${file}`, import.meta.url));

test('golden captures', { skip: only(adapter === 'redis', 'once is enough: they are of all adapters'), timeout: 30_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [golden('capture.cjs')], { maxBuffer: 1 << 24 });
  const kept = JSON.parse(await readFile(golden('golden.json'), 'utf8'));
  const now = JSON.parse(stdout);
  for (const part of new Set([...Object.keys(kept), ...Object.keys(now)])) assert.deepEqual(now[part], kept[part], part);
});
