// The arithmetic of a measurement's report.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Results } from './report.mjs';
import { targets } from './targets.mjs';

const noted = (rows) => {
  const results = new Results();
  for (const [row, of] of Object.entries(rows)) {
    for (const [kind, values] of Object.entries(of)) for (const v of values) results.note(row, kind, v);
  }
  return results;
};
const line = (table, start) => table.split('\n').find((l) => l.startsWith(`| ${start}`))?.split('|').map((c) => c.trim()).slice(1, -1);

test('a row has medians, spreads and ratios', () => {
  const table = noted({ r: { ours: [1, 2, 9], ws: [4, 4, 4] } }).table();
  assert.deepEqual(line(table, 'r '), ['r', '2 ±200 %', '4 ±0 %', '', '', '', '0.50', '', '']);
});

test('targets: met, missed, stretched; by the medians', () => {
  const table = targets(noted({
    'product: µs CPU a delivery, rooms of 5': { ours: [10, 19, 90], ws: [100] },
    'product: µs CPU a delivery, rooms of 500': { ours: [50], ws: [100] },
    'product: µs CPU a connect, rooms of 500': { ours: [51], ws: [100] },
    'product: courtesy events, % of deliveries, rooms of 500': { ours: [5], ws: [0] },
    'product: lost, in all': { ours: [0], ws: [3] },
    'product: twice, in all': { ours: [1], ws: [0] },
    'product: out of order, in all': { ours: [1], ws: [0] },
  }));
  assert.deepEqual(line(table, 'product: µs CPU a delivery, rooms of 5,').slice(1), ['0.3 (0.2)', '0.19', 'yes, and the stretch']);
  assert.deepEqual(line(table, 'product: µs CPU a delivery, rooms of 500,').slice(1), ['0.6 (0.45)', '0.50', 'yes']);
  assert.deepEqual(line(table, 'product: µs CPU a connect, rooms of 500,').slice(1), ['0.5', '0.51', '**no**']);
  assert.deepEqual(line(table, 'product: courtesy').slice(1), ['5', '5', 'yes']);
  assert.deepEqual(line(table, 'product: lost').slice(1), ['0', '2', '**no**']);
});

test('targets: beside others than Node, and by themselves', () => {
  const table = targets(noted({
    'engine: µs CPU a delivery, rooms of 5, 200 B': { ours: [12], ws: [24], uws: [10] },
    'engine: µs CPU a connect': { ours: [9], ws: [1], uws: [10] },
    'engine: KiB a socket, 5,000 idle': { ours: [8.5], ws: [1] },
    'engine: MiB in all, 19,500 idle': { ours: [401] },
  }));
  assert.deepEqual(line(table, 'engine: µs CPU a delivery, rooms of 5, 200 B, ÷ Node').slice(1), ['0.6', '0.50', 'yes']);
  assert.deepEqual(line(table, 'engine: µs CPU a delivery, rooms of 5, 200 B, ÷ uWS').slice(1), ['1', '1.20', '**no**']);
  assert.deepEqual(line(table, 'engine: µs CPU a connect').slice(1), ['1', '0.90', 'yes']);
  assert.deepEqual(line(table, 'engine: KiB').slice(1), ['12 (9)', '8.50', 'yes, and the stretch']);
  assert.deepEqual(line(table, 'engine: MiB').slice(1), ['400', '401', '**no**']);
});

test('what was not measured on both servers is no target', () => {
  const table = targets(noted({ 'product: µs CPU a connect, rooms of 5': { ours: [1] }, 'product: lost, in all': { ours: [0] } }));
  assert.equal(table.split('\n').length, 2, table);
});
