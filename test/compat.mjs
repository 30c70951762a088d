// README's compatibility table. A suite measures the columns of its platform, and fails when README says otherwise.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

// The stock clients, by the names the package.json files give them.
export const clients = ['sioc48', 'sioc45', 'sioc40', 'sioc31', 'sioc25'];
export const transportSets = { websocket: ['websocket'], polling: ['polling'], default: undefined };

// What the installed clients say of themselves, so that the table names what was really run. require is that of the suite.
export const versions = (require) => Object.fromEntries(clients.map((name) => [require(`${name}/package.json`).version, name]));

const place = /<!-- compatibility -->\n([^]*)<!-- \/compatibility -->/;
const row = (cells) => `| ${cells.join(' | ')} |`;

// The rows README has, cut down to their first cell and those under the columns.
function rowsOf(columns) {
  const [, table] = place.exec(readFileSync(new URL('../README.md', import.meta.url), 'utf8')) ?? assert.fail('README.md has no compatibility table');
  const [header, , ...rows] = table.trim().split('\n').map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
  return rows.map((cells) => [cells[0], ...columns.map((column) => cells[header.indexOf(column)])]);
}

// measured: version → name of the transport set → what its cell must say.
export function checkTable(platform, measured) {
  const columns = Object.keys(transportSets).map((set) => `${platform} ${set}`);
  const rows = Object.entries(measured).map(([version, cells]) => [version, ...Object.keys(transportSets).map((set) => cells[set] ?? 'not run')]);
  assert.deepEqual(rowsOf(columns).map(row), rows.map(row), `README.md says otherwise; measured was\n${[['socket.io-client', ...columns], ...rows].map(row).join('\n')}\n`);
}
