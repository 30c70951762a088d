// Who was owed which message, and who never got it.
import { member, removedAfter } from './membership.mjs';
import { underWay } from './settings.mjs';

const atOnce = ['reset', 'closed', 'server'];

export function deliveries(book, add, count) {
  const users = new Map([...book.seats].map(([seat, pages]) => [seat, pages[0].user]));
  for (const [seat, pages] of book.seats) {
    const user = users.get(seat);
    const had = new Map(); // id → the first page that got it
    for (const p of pages) for (const g of p.got) if (!had.has(g.id)) had.set(g.id, p);
    const conns = book.conns(seat);
    const first = conns[0]?.from ?? Infinity;
    const last = pages.at(-1).closed ?? Infinity;
    const beside = [...users].some(([other, u]) => u === user && other !== seat);
    for (const m of book.messages.values()) {
      if (m.at < first || m.at > last || !member(book, user, m)) continue;
      const page = pages.findLast((p) => p.opened <= m.at) ?? pages[0];
      const who = had.has(m.id) ? whose(had.get(m.id), had.get(m.id) !== page) : whose(page, page.closed !== undefined && page !== pages.at(-1));
      if (had.has(m.id)) { due(count, who); continue; }
      const gap = { seat, user, page, pages, conns, beside, m };
      const reason = excused(book, gap);
      if (reason === 'unknowable') { due(count, who); add('unknowable', { page: page.page, id: m.id, of: 'lost', why: `under way as ${page.page} lost its connection` }); continue; }
      if (reason) { count.notDue[reason] = (count.notDue[reason] ?? 0) + 1; continue; }
      due(count, who);
      add('lost', { page: page.page, id: m.id, who, why: `never got by ${seat} (${page.version}), said ${m.answered === undefined ? 'and stored, but never answered' : `by ${m.pod}`}` });
    }
  }
}

const whose = (page, anew) => (anew ? 'reloads' : page.modern ? 'modern' : 'older');

function due(count, who) {
  count.due++;
  count.by[who]++;
}

// Why it is not Parley's fault that it never came: nobody could know, or nobody promised. undefined: it is.
function excused(book, gap) {
  const { user, m, conns, page, pages, beside } = gap;
  if (conns.some((c) => nearEnd(book, c, m))) return 'unknowable';
  const removal = removedAfter(book, user, m);
  if (removal && !conns.some((c) => c.from < removal.asked - 1_000 && (c.broke ?? Infinity) > m.at + 1_000)) return 'removed from the chat before they were back';
  if (removal && untold(book, m, removal)) return 'said by or for a pod without Redis, and removed from the chat before the others heard';
  const next = conns.find((c) => c.from > m.at);
  const cut = conns.findLast((c) => c.from <= m.at);
  const away = !cut || (cut.broke ?? Infinity) < onItsWayUntil(m);
  const anew = next && (!page.modern || next.page !== cut?.page);
  if (away && anew && beside && (cut?.how === 'closed' || !cut)) return 'said while no page was open there, and another device of the user was connected';
  if (away && anew && beside) return 'a client before 4.6 whose connection broke, beside another device of its user';
  if (away && pages[0].eio3 && ['silent', 'unseen'].includes(cut?.how)) return 'a dead connection of a 2.x client, which cannot be asked';
  return undefined;
}

// Pods did not hear each other when it was said, and the removal came before they were sure to again: nobody is told
// of it any more, and it is in the history.
const again = 3_000; // until all pods listen again
const regroup = 10_000; // until all is told
const deafening = ['redis paused', 'redis killed', 'redis flushed', 'pod cut off', 'pod refused'];

function untold(book, m, removal) {
  return book.faults.some((f) => deafening.includes(f.what) && f.from - 1_000 < m.at && m.at < f.to + again && removal.asked < f.to + regroup);
}

// It was on its way just as the connection broke, visibly, of a client that cannot say how far it got.
function nearEnd(book, conn, m) {
  if (conn.broke === undefined || !atOnce.includes(conn.how)) return false;
  const page = book.pages.get(conn.page);
  const said = page.modern && page.closed === undefined;
  if (said) return false;
  if (page.modern && book.following(conn)?.page === conn.page) return false;
  const slow = conn.slow.find((s) => conn.broke >= s.from && conn.broke <= s.to + 10_000);
  return m.at < conn.broke + 50 && (onItsWayUntil(m) > (slow?.from ?? conn.broke) || toldJustThen(conn, m));
}

// Told late, by a pod that had been deaf, as the connection broke: other pages got it at that moment.
const toldJustThen = (conn, m) => m.receipts?.some((r) => r.page !== conn.page && Math.abs(r.t - conn.broke) <= underWay);

const onItsWayUntil = (m) => Math.max(m.answered ?? m.at, m.first ?? m.at) + underWay;
