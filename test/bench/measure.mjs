// What the kernel says about a process, and the arithmetic of the table.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const tick = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'])); // µs

// CPU time of a process so far, user and system, in µs.
export function cpu(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tick;
}

// Resident memory in KiB.
export function rss(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

export const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
export const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))];

export function table(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((r) => r[i].length)));
  return rows.map((r) => r.map((c, i) => (i ? c.padStart(widths[i]) : c.padEnd(widths[i]))).join('   ')).join('\n');
}
