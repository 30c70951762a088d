// Ghosts, and who was announced offline: once for each real absence.
import { settings } from './settings.mjs';

const servers = ['redis paused', 'redis killed', 'redis flushed', 'mongo paused', 'mongo away', 'pod killed', 'pod restarted', 'pod cut off', 'pod refused'];

export function ghosts(book, add) {
  for (const s of book.sets) {
    const more = s.ids.filter((id) => !s.expected.includes(id));
    // A client of 2.x does not know its socket's id, '?': it may have any of those nobody else has.
    const unnamed = more.splice(0, s.expected.filter((id) => id === '?').length).length;
    const fewer = s.expected.filter((id) => id !== '?' && !s.ids.includes(id)).concat(s.expected.filter((id) => id === '?').slice(unnamed));
    for (const id of more) add('ghost', { user: s.user, page: owner(book, id), why: `${id} is in the set of ${s.user} (${s.when}) and nobody's` });
    for (const id of fewer) add('absent', { user: s.user, page: owner(book, id), why: `${id} is connected and not in the set of ${s.user} (${s.when})` });
  }
}

function owner(book, sid) {
  return [...book.pages.values()].find((p) => p.conns.some((c) => c.sid === sid))?.page;
}

// The user's times without any connection, by what the pages saw.
export function absences(book, user) {
  const spans = book.seatsOf(user).flatMap((seat) => book.conns(seat)).map((c) => [c.from, c.broke ?? Infinity]).sort((a, b) => a[0] - b[0]);
  const out = [];
  let end = spans[0]?.[1];
  for (const [from, to] of spans.slice(1)) {
    if (from > end) out.push({ user, from: end, to: from });
    end = Math.max(end, to);
  }
  if (end !== undefined && end !== Infinity) out.push({ user, from: end, to: Infinity });
  return out;
}

// Offline again on one connection, though they were not back in between, by anybody's account.
export function offlineTwice(book, add) {
  const found = new Map();
  for (const told of group(book.told, (e) => `${e.page} ${e.conn} ${e.user}`).values()) {
    for (let i = 1; i < told.length; i++) {
      const [a, b] = [told[i - 1], told[i]];
      if (a.online || b.online) continue;
      const back = book.seatsOf(b.user).some((seat) => book.conns(seat).some((c) => c.from > a.t - settings.presenceGrace - 1_000 && c.from < b.t && (c.broke ?? Infinity) > a.t - 1_000));
      if (back) continue; // that they were back was not told here, or told late; they did go twice
      const absence = absences(book, b.user).findLast((x) => x.from <= b.t);
      const id = `${b.user} ${absence?.from}`;
      if (!found.has(id)) found.set(id, { a, b, times: 0 });
      found.get(id).times++;
    }
  }
  for (const { a, b, times } of found.values()) add('offline twice', { page: b.page, user: b.user, why: `${b.page} was told that ${b.user} is offline, and ${b.t - a.t} ms later again; ${times} connections were` });
}

function group(list, by) {
  const groups = new Map();
  for (const e of list) {
    if (!groups.has(by(e))) groups.set(by(e), []);
    groups.get(by(e)).push(e);
  }
  return groups;
}

// By when an absence is told, whatever else breaks: the death of its connection noticed, a pod's too, and the grace over.
const patience = settings.pingInterval + settings.pingTimeout + 2 * settings.presenceTTL + settings.presenceGrace + 5_000;

export function neverOffline(book, add, count) {
  const users = new Set([...book.pages.values()].map((p) => p.user));
  for (const user of users) {
    const offline = book.told.filter((e) => e.user === user && !e.online);
    for (const absence of absences(book, user)) {
      const trouble = Math.max(absence.from, ...book.faults.filter((f) => servers.includes(f.what) && f.from < absence.to && f.to !== Infinity).map((f) => f.to));
      const by = trouble + patience;
      const told = (c) => offline.some((e) => e.page === c.page && e.conn === c.conn && e.t > absence.from - 1_000 && e.t < Math.min(by, absence.to + 1_000));
      const steady = watchers(book, user, absence.from - 1_000);
      const over = absence.to >= by && book.until >= by;
      const deaf = over ? steady.filter((c) => (c.broke ?? Infinity) > by && !told(c)) : [];
      if (steady.some(told) || deaf.length) count.absences++;
      if (deaf.length) add('never offline', { page: deaf[0].page, user, why: `${user} left at ${new Date(absence.from).toISOString()}; ${deaf.length} of ${steady.length} connections that stood were not told within ${by - absence.from} ms` });
    }
  }
}

// Connections of others who share a chat with the user, that stood then.
function watchers(book, user, at) {
  const shared = [...book.chats.values()].filter((members) => members.has(user));
  return [...book.pages.values()]
    .filter((p) => p.user !== user && shared.some((members) => members.has(p.user)))
    .flatMap((p) => p.conns.filter((c) => c.from < at && (c.broke ?? Infinity) > at));
}
