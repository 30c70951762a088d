// What came twice, and what came out of order.
import { settings } from './settings.mjs';

// With one of these about, a pod cannot be sure what became of a note.
const deafening = ['redis paused', 'redis killed', 'redis flushed', 'pod cut off', 'pod refused'];
const forgetful = [...deafening, 'pod killed'];
const atOnce = ['reset', 'closed', 'server'];

export function repeats(book, add, count) {
  for (const pages of book.seats.values()) {
    const before = new Map(); // what earlier pages of the seat had
    for (const page of pages) {
      const seen = new Map();
      for (const got of page.got) {
        const m = book.messages.get(got.id);
        if (!m) { add('not stored', { page: page.page, id: got.id, why: 'it was sent and is nowhere' }); continue; }
        const first = seen.get(got.id) ?? before.get(got.id);
        if (first) repeated(book, add, count, page, first, got, m);
        else seen.set(got.id, got);
      }
      for (const [id, got] of seen) before.set(id, got);
    }
  }
}

function repeated(book, add, count, page, first, got, m) {
  const same = first.page === got.page;
  const who = !same ? 'reloads' : page.modern ? 'modern' : 'older';
  const conn = book.pages.get(first.page).conns.find((c) => c.conn === first.conn);
  const why = `had on ${first.page}#${first.conn}, again on ${got.page}#${got.conn} ${got.t - first.t} ms later`;
  const doubt = first.page === got.page && first.conn === got.conn ? undefined : doubtful(book, page, conn, first, m, same);
  if (doubt === undefined) { add('twice', { page: got.page, id: got.id, who, why }); return; }
  count.doubt = Math.max(count.doubt, doubt);
  add('unknowable', { page: got.page, id: got.id, of: 'twice', who, why: `${why}; ${doubt} ms before the connection broke` });
}

// How long before the end of its connection it came, if that is within what its pod cannot know; else undefined.
function doubtful(book, page, conn, first, m, same) {
  if (conn?.broke === undefined) return undefined;
  const before = Math.max(0, conn.broke - first.t);
  const next = book.following(conn);
  const calm = !book.trouble(conn.broke - settings.pingInterval - settings.pingTimeout, next?.from ?? conn.broke, forgetful);
  if (same && page.modern) {
    const last = conn.got.findLast((g) => g.t <= conn.broke);
    if (last?.id === first.id) return before; // cut between a message and its offset
    if (calm) return undefined;
    return m.at >= (conn.heard ?? conn.broke - 1_000) ? before : undefined;
  }
  if (calm && atOnce.includes(conn.how)) return before <= 1_000 ? before : undefined;
  return first.t >= unsureSince(book, conn.broke) - 1_000 ? before : undefined;
}

// Since when a pod may not be sure of who listened: the last ping that was answered, and before that as long as the pods
// could not tell each other how far they are.
function unsureSince(book, broke) {
  let since = broke - settings.pingInterval - settings.pingTimeout;
  for (const f of book.faults.filter((x) => deafening.includes(x.what)).sort((a, b) => b.from - a.from)) {
    if (f.from < broke && f.to > since) since = Math.min(since, f.from - settings.pingInterval - settings.pingTimeout);
  }
  return since;
}

// One sender's messages to a chat, on one connection. Through two pods in turn they are in order as long as Redis is.
export function order(book, add, count) {
  for (const page of book.pages.values()) {
    for (const conn of page.conns) {
      const last = new Map();
      const seen = new Set();
      for (const got of conn.got) {
        const m = book.messages.get(got.id);
        if (!m || m.answered === undefined || seen.has(got.id)) continue;
        seen.add(got.id);
        const line = `${m.sender} ${m.chat}`;
        const before = last.get(line);
        if (before && before.n > m.n) {
          if (before.pod === m.pod && before.tries === 1 && m.tries === 1) add('order', { page: page.page, id: m.id, why: `number ${m.n} after ${before.n} (${before.id}), both by ${m.pod}` });
          else count.twoPods++;
        } else last.set(line, m);
      }
    }
  }
}
