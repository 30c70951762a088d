// The arithmetic and the words of the table.
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { readFileSync, writeFileSync } from 'node:fs';

export const columns = [
  ['ours', 'Parley'],
  ['ws', 'Node, ws'],
  ['uws', 'Node, uWS'],
  ['stock', 'stock Go'],
  ['floor', 'floor'],
];

export function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  return sorted.length % 2 ? sorted[mid] : (sorted[mid - 1] + sorted[mid]) / 2;
}

// Half the distance between the best and the worst, in per cent of the median.
export function spread(list) {
  return list.length > 1 && median(list) !== 0 ? (50 * (Math.max(...list) - Math.min(...list))) / median(list) : null;
}

// A markdown table: the first row is its head, the first column stands left.
export function aligned([head, ...lines]) {
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((r) => r[i].length), 3));
  const line = (cells) => `| ${cells.map((c, i) => (i ? c.padStart(widths[i]) : c.padEnd(widths[i]))).join(' | ')} |`;
  return [line(head), line(widths.map((w, i) => (i ? `${'-'.repeat(w - 1)}:` : '-'.repeat(w)))), ...lines.map(line)].join('\n');
}

// Values by row and server, in the order in which rows were first noted.
export class Results {
  rows = new Map();

  note(row, server, value) {
    const of = this.rows.get(row) ?? new Map();
    this.rows.set(row, of);
    of.set(server, [...(of.get(server) ?? []), value]);
  }

  // NaN where it was not measured.
  median(row, server) { return median(this.rows.get(row)?.get(server) ?? []); }

  #cell(list) {
    if (!list) return '';
    const v = median(list);
    const digits = list.every(Number.isInteger) || Math.abs(v) >= 100 ? 0 : Math.abs(v) >= 10 ? 1 : 2;
    const s = spread(list);
    return v.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }) + (s === null ? '' : ` ±${s.toFixed(0)} %`);
  }

  table() {
    const head = ['', ...columns.map(([, title]) => title), '÷ Node', '÷ uWS', '÷ floor'];
    const lines = [...this.rows].map(([row, of]) => {
      const ratio = (other) => {
        const [a, b] = [of.get('ours'), of.get(other)];
        return a && b && median(b) > 0 ? (median(a) / median(b)).toFixed(2) : '';
      };
      return [row, ...columns.map(([kind]) => this.#cell(of.get(kind))), ratio('ws'), ratio('uws'), ratio('floor')];
    });
    return aligned([head, ...lines]);
  }
}

export function machine() {
  const model = cpus()[0].model.trim();
  const go = execFileSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' }).trim();
  return `${cpus().length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, ${go}, Node ${process.version}`;
}

export const busy = () => loadavg().map((n) => n.toFixed(1)).join(' ');

const between = {
  measured: ['<!-- measured: what is below is written by make bench -->', '<!-- measured, end -->'],
  counted: ['<!-- counted: what is below is written by make scaling -->', '<!-- counted, end -->'],
};

// Puts text between two marks of a document.
export function write(file, text, what = 'measured') {
  const marks = between[what];
  const doc = readFileSync(file, 'utf8');
  const [from, to] = marks.map((m) => doc.indexOf(m));
  if (from < 0 || to < from) throw new Error(`${file} has not the lines ${marks.join(' and ')}`);
  writeFileSync(file, `${doc.slice(0, from + marks[0].length)}\n\n${text}\n\n${doc.slice(to)}`);
}
