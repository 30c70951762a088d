// What Parley is to reach, and whether a run shows it. A target is looked at where its rows were measured.
import { aligned } from './report.mjs';

const ratio = (row, most, stretch) => ({ row, most, stretch, title: `${row}, ÷ Node`, of: (r) => r.median(row, 'ours') / r.median(row, 'ws') });

const faults = (group) => {
  const rows = ['lost', 'twice', 'out of order'].map((what) => `${group}: ${what}, in all`);
  return { row: rows[0], most: 0, title: `${group}: lost, twice and out of order`, of: (r) => rows.reduce((n, row) => n + r.median(row, 'ours'), 0) };
};

const courtesies = 'product: courtesy events, % of deliveries, rooms of 500';

const all = [
  ratio('engine: µs CPU a delivery, rooms of 100, 200 B', 0.6),
  ratio('product: µs CPU a delivery, rooms of 5', 0.3, 0.2),
  ratio('product: µs CPU a delivery, rooms of 500', 0.6, 0.45),
  ratio('product: µs CPU a connect, rooms of 5', 0.5),
  ratio('product: µs CPU a connect, rooms of 500', 0.5),
  ratio('product: ms from POST to the last receipt, p99, rooms of 5, paced', 1),
  ratio('product: ms from POST to the last receipt, p99, rooms of 500, paced', 1),
  { row: courtesies, title: courtesies, most: 5, of: (r) => r.median(courtesies, 'ours') },
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
