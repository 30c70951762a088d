// What all measures are made with: servers that take turns, and the notes of what they did.
import { Results } from './report.mjs';
import { ROUNDS, SETTLE } from './settings.mjs';

export const results = new Results();

const began = Date.now();
export const seconds = () => ((Date.now() - began) / 1000).toFixed(0);
export const say = (text) => console.error(`${seconds().padStart(4)} s  ${text}`);
export const number = (n) => n.toLocaleString('en');

// Servers take turns, and who begins changes, so that nobody always comes after the same one.
export async function rounds(servers, measure) {
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < servers.length; i++) await measure(servers[(i + round) % servers.length]);
  }
}

const wrong = new Map(); // row and server -> how often

// Adds up what a measure of messages found wrong.
export function count(group, server, r) {
  for (const what of ['lost', 'twice', 'reordered']) {
    const row = `${group}: ${what === 'reordered' ? 'out of order' : what}, in all`;
    const key = `${row} ${server.kind}`;
    wrong.set(key, { row, kind: server.kind, n: (wrong.get(key)?.n ?? 0) + r[what] + (what === 'twice' ? r.stray : 0) });
  }
  server.dropped = r.dropped;
}

export function noteWrong(group, servers) {
  for (const { row, kind, n } of wrong.values()) results.note(row, kind, n);
  wrong.clear();
  for (const s of servers) results.note(`${group}: connections dropped`, s.kind, s.dropped);
}

const all = new Set();

// Starts servers and connects their clients, one after the other.
export async function up(kinds, start, clients, settle = 0) {
  const running = [];
  for (const kind of kinds) {
    const server = await start(kind);
    all.add(server);
    server.connected = await server.connect(clients(kind), { settle });
    if (server.connected.again) say(`${kind}: ${server.connected.again} connections only at another attempt`);
    running.push(server);
  }
  return running;
}

export async function down(servers) {
  await Promise.all(servers.map((s) => s.kill()));
  for (const s of servers) all.delete(s);
}

// Something else that is to end with the run.
export const ends = (program) => all.add({ kill: () => program.kill() });
export const endAll = () => Promise.all([...all].map((s) => s.kill()));

export const idle = (servers, ms) => Promise.all(servers.map((s) => s.ask({ do: 'idle', ms })));
export const kib = (n) => n / 1024;

// What connecting n sockets costs, with what it leaves to be done for `settle`; what memory the sockets take; and what CPU, idle for so long.
export async function connecting(group, kinds, start, clients, n, { where = '', settle = 0, memory = true, idling = 0 } = {}) {
  let running = [];
  for (let round = 0; round < ROUNDS; round++) {
    await down(running);
    running = await up(kinds, start, clients, settle);
    const settled = settle ? running.map((s) => s.connected) : await idle(running, SETTLE);
    running.forEach((s, i) => {
      const c = s.connected;
      results.note(`${group}: µs CPU a connect${where}`, s.kind, c.us_per_connect);
      results.note(`${group}: connects/s${where}`, s.kind, c.connected / c.seconds);
      results.note(`${group}: connects that took another attempt${where}`, s.kind, c.again);
      if (settle) results.note(`${group}: courtesy events a connect${where}`, s.kind, c.courtesies / c.connected);
      if (memory) results.note(`${group}: KiB a socket, ${number(n)} idle`, s.kind, kib((settled[i].rss - c.rss_before) / n));
    });
    say(`${group}: connected${where}, round ${round + 1}`);
  }
  if (idling) {
    (await idle(running, idling)).forEach((r, i) => results.note(`${group}: ms CPU a second, ${number(n)} idle`, running[i].kind, r.cpu_ms_per_s));
  }
  return running;
}
