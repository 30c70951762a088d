// What Parley is to reach, and whether a run shows it. A target is looked at where its rows were measured.
import { aligned } from './report.mjs';

const others = { ws: 'Node', uws: 'uWS' };
const ratio = (row, most, stretch, other = 'ws') => ({
  most, stretch, title: `${row}, ÷ ${others[other]}`, of: (r) => r.median(row, 'ours') / r.median(row, other),
});
const beside = (row, most) => ratio(row, most, undefined, 'uws');
const value = (row, most, stretch) => ({ most, stretch, title: row, of: (r) => r.median(row, 'ours') });

const faults = (group) => {
  const rows = ['lost', 'twice', 'out of order'].map((what) => `${group}: ${what}, in all`);
  return { most: 0, title: `${group}: lost, twice and out of order`, of: (r) => rows.reduce((n, row) => n + r.median(row, 'ours'), 0) };
};

const deliveries = ['rooms of 5, 200 B', 'rooms of 100, 200 B', 'rooms of 1,000, 200 B', 'rooms of 100, 1024 B', 'rooms of 100, 4096 B']
  .map((where) => `engine: µs CPU a delivery, ${where}`);
const p99 = (where) => `engine: ms to receipt, p99, ${where}, paced`;

const all = [
  ...deliveries.map((row) => ratio(row, 0.6)),
  ...deliveries.map((row) => beside(row, 1)),
  beside('engine: µs CPU a connect', 1),
  value('engine: KiB a socket, 5,000 idle', 12, 9),
  value('engine: MiB in all, 19,500 idle', 400),
  ratio('engine: ms CPU a second, 19,500 idle', 1),
  ratio(p99('rooms of 100'), 1),
  ratio(p99('rooms of 1,000'), 1),
  ratio('product: µs CPU a delivery, rooms of 5', 0.3, 0.2),
  ratio('product: µs CPU a delivery, rooms of 500', 0.6, 0.45),
  ratio('product: µs CPU a connect, rooms of 5', 0.5),
  ratio('product: µs CPU a connect, rooms of 500', 0.5),
  ratio('product: ms from POST to the last receipt, p99, rooms of 5, paced', 1),
  ratio('product: ms from POST to the last receipt, p99, rooms of 500, paced', 1),
  value('product: courtesy events, % of deliveries, rooms of 500', 5),
  faults('engine'), faults('product'), faults('two pods'),
];

function verdict({ most, stretch }, value) {
  if (value > most) return '**no**';
  return stretch !== undefined && value <= stretch ? 'yes, and the stretch' : 'yes';
}

// A row a target that this run can be held to.
export function targets(results) {
  const rows = all.map((t) => [t, t.of(results)]).filter(([, value]) => Number.isFinite(value)).map(([t, value]) => [
    t.title, `${t.most}${t.stretch === undefined ? '' : ` (${t.stretch})`}`, value.toFixed(Number.isInteger(value) ? 0 : 2), verdict(t, value),
  ]);
  return aligned([['target', 'at most (stretch)', 'measured', 'met'], ...rows]);
}
