// docs/FAULTS.md, from the results of runs.
import { kinds } from './plan.mjs';
import { settings, underWay } from './settings.mjs';

const sum = (results, ...names) => results.reduce((n, r) => n + names.reduce((k, name) => k + (r.tally[name] ?? 0), 0), 0);
const figure = (n) => n.toLocaleString('en-US');
const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows, numbers = head.slice(1)) => [row(head), row(head.map((h) => (numbers.includes(h) ? '---:' : '---'))), ...rows.map(row)].join('\n');
const total = (results, pick) => results.reduce((n, r) => n + pick(r), 0);
const notDue = (r) => Object.values(r.count.notDue).reduce((a, b) => a + b, 0);
const named = (r) => (r.kinds.length > 3 ? 'everything' : r.kinds.join(' + '));

function guarantees(results) {
  const due = total(results, (r) => r.count.due);
  const by = (who) => total(results, (r) => r.count.by[who]);
  const line = (what, cases, of, ...names) => [what, figure(cases), of, figure(sum(results, ...names)), where(results, names)];
  return table(['guarantee', 'cases', 'of', 'broken', 'by'], [
    line('Nothing is lost: clients from 4.6 on', by('modern'), 'deliveries due', 'lost modern'),
    line('… clients before 4.6', by('older'), 'deliveries due', 'lost older'),
    line('… said while a page was loaded anew, or closed to be opened later', by('reloads'), 'deliveries due', 'lost reloads'),
    line('Each once: clients from 4.6 on', by('modern'), 'deliveries', 'twice modern'),
    line('… clients before 4.6', by('older'), 'deliveries', 'twice older'),
    line('… over a page and those loaded after it', due, 'deliveries, all', 'twice reloads'),
    line("One sender's messages to a chat in order, on one connection", due, 'deliveries, all', 'order'),
    line('Who is not in a chat gets nothing of it', due, 'deliveries, all', 'leaked'),
    line('201 is stored, once; what is sent is stored', total(results, (r) => r.messages), 'messages', 'lost in store', 'stored twice', 'not stored'),
    line('The set in Redis is who is connected', total(results, (r) => r.sockets), "looks at a user's set, at rest", 'ghost', 'absent'),
    line('Offline once', total(results, (r) => r.count.absences), 'absences that were told, or long enough that they should have been', 'offline twice'),
    line('Offline at all', total(results, (r) => r.count.absences), 'the same', 'never offline'),
    line('Nobody is refused or left behind, pods exit as they should, no race', results.length, 'runs', 'failed'),
  ], ['cases', 'broken']);
}

// Which runs broke it, the seeds in brackets.
function where(results, names) {
  const by = results.filter((r) => sum([r], ...names)).map((r) => `${named(r)}${r.adapter === 'redis' ? '' : `, ${r.adapter}`} (${r.seed})`);
  return by.length > 6 ? `${by.slice(0, 6).join('; ')}; ${by.length - 6} more` : by.join('; ');
}

function runs(results) {
  return table(['faults', 'adapter', 'commit', 'seed', 'due', 'lost', 'twice', 'order', 'leaked', 'ghosts', 'offline twice', 'never offline', 'other', 'unknowable lost', 'unknowable twice', 'not due'], results.map((r) => [
    named(r), r.adapter, r.commit, r.seed, figure(r.count.due), three(r, 'lost'), three(r, 'twice'), sum([r], 'order'), sum([r], 'leaked'), sum([r], 'ghost', 'absent'), sum([r], 'offline twice'), sum([r], 'never offline'),
    sum([r], 'failed', 'not stored', 'lost in store', 'stored twice'),
    sum([r], 'unknowable lost'), `${sum([r], 'unknowable twice modern', 'unknowable twice older', 'unknowable twice reloads')}${r.count.doubt ? ` (≤ ${r.count.doubt} ms)` : ''}`, notDue(r),
  ]), ['seed', 'due', 'order', 'leaked', 'ghosts', 'offline twice', 'never offline', 'other', 'unknowable lost', 'not due']);
}

function three(r, what) {
  const each = ['modern', 'older', 'reloads'].map((who) => sum([r], `${what} ${who}`));
  return each.some(Boolean) ? each.join(' / ') : 0;
}

function reasons(results) {
  const all = {};
  for (const r of results) for (const [why, n] of Object.entries(r.count.notDue)) all[why] = (all[why] ?? 0) + n;
  const through = total(results, (r) => r.count.twoPods);
  const due = total(results, (r) => r.count.due);
  const rows = Object.entries(all).map(([why, n]) => [why, figure(n), `${((100 * n) / due).toFixed(3)} %`]);
  if (through) rows.push(["out of order, the sender's posts having gone through two pods in turn (README, What is not there yet)", figure(through), `${((100 * through) / due).toFixed(3)} %`]);
  return rows.length ? table(['reason', 'deliveries', 'of what was due'], rows) : 'None.';
}

export function page(results, note = '') {
  const tried = new Set(results.flatMap((r) => r.kinds));
  const singles = new Set(results.filter((r) => r.kinds.length === 1).map(named));
  const pairs = new Set(results.filter((r) => r.kinds.length === 2).map(named));
  const every = Object.keys(kinds).length;
  return `# Faults

Written by \`make faults\` (test/chaos/report.mjs), not by hand. Three pods, one of them built with the race detector, behind nginx with
deploy/nginx/parley.conf; a real redis-server, FerretDB, 68 pages of stock clients 4.8.4, 4.0.2 and 2.5.0, twelve chats, senders that
try again with their Idempotency-Key. Things break at random moments of a plan that the seed gives; then all has to come right by itself.
[test/chaos](../test/chaos/README.md) says what each word means. To run one again: \`make chaos SEED=… MINUTES=… KINDS='…' ADAPTER=…\`.

${figure(results.length)} runs of ${[...new Set(results.map((r) => r.minutes))].join(' and ')} minutes, ${figure(total(results, (r) => r.count.due))} deliveries due, at ${[...new Set(results.map((r) => r.commit))].join(', ')}: ${singles.size} of ${every} kinds alone, ${pairs.size} of ${(every * (every - 1)) / 2} pairs,
adapters ${[...new Set(results.map((r) => r.adapter))].join(', ')}, seeds ${[...new Set(results.map((r) => r.seed))].join(', ')}. \`PING_INTERVAL\` ${settings.pingInterval / 1000} s, \`PING_TIMEOUT\` ${settings.pingTimeout / 1000} s, \`PRESENCE_TTL\` ${settings.presenceTTL / 1000} s, \`PRESENCE_GRACE\` ${settings.presenceGrace / 1000} s, so that
a run need not wait; the rest as it comes.${note && `\n\n${note}`}

## Guarantee by guarantee

${guarantees(results)}

## What is none of these, and what users may call lost

Not due, with the reason. It is counted here so that nothing is put aside.

${reasons(results)}

Unknowable lost: ${figure(sum(results, 'unknowable lost'))}, on their way as the connection of a client was visibly cut that cannot say how far it got (a page that is closed, a client
before 4.6), until ${underWay} ms after the answer. Unknowable twice: ${figure(sum(results, 'unknowable twice modern', 'unknowable twice older', 'unknowable twice reloads'))}, at most ${figure(Math.max(0, ...results.map((r) => r.count.doubt)))} ms before the end of their connection: what a pod cannot know
of one that died without a word, or whose pod or Redis did.

## Run by run

Lost and twice: clients from 4.6 on / before / over pages loaded anew.

${runs(results)}

## The faults

${table(['kind', 'a minute, alone', 'what'], Object.entries(kinds).map(([k, v]) => [`${k}${tried.has(k) ? '' : ' (not tried)'}`, v.often, `${v.what}${v.lasts ? `, ${v.lasts[0] / 1000} to ${v.lasts[1] / 1000} s` : ''}`]), ['a minute, alone'])}

## What is not covered

- The defaults of the settings named above; pods on several machines, and clocks that differ.
- A Redis cluster, sentinels and their failover; a MongoDB replica set and its elections. FerretDB stands for MongoDB, and is never
  killed: what is stored stays.
- Node pods beside Parley's (test/interop has those, without faults); frontends on socket.io-client 3.x and 4.5.
- Packets that are lost, doubled or reordered below TCP; half of a connection that goes silent; slow disks, full disks, no memory left.
- Typing, reading receipts and \`message_delivered\` under faults: only messages, membership and presence are checked.
- Files: only texts are sent.
- Away for longer than \`RECOVERY_WINDOW\`, or with more missed than \`REPLAY_LIMIT\`.
`;
}
