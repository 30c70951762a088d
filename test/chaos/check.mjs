// Holds a history against what Parley promises. What is found is { what, why, page?, id?, user?, who?, of? }.
import { Book } from './book.mjs';
import { deliveries } from './delivery.mjs';
import { leaked } from './membership.mjs';
import { ghosts, neverOffline, offlineTwice } from './presence.mjs';
import { order, repeats } from './repeats.mjs';

// What breaks a promise; 'unknowable' does not.
export const broken = ['lost', 'twice', 'order', 'leaked', 'ghost', 'absent', 'offline twice', 'never offline', 'not stored', 'lost in store', 'stored twice', 'failed'];

export function check(events) {
  const book = events instanceof Book ? events : new Book(events);
  const found = [];
  const count = { due: 0, by: { modern: 0, older: 0, reloads: 0 }, notDue: {}, doubt: 0, twoPods: 0, absences: 0, unanswered: 0 };
  const add = (what, more) => found.push({ what, ...more });
  deliveries(book, add, count);
  repeats(book, add, count);
  order(book, add, count);
  leaks(book, add);
  ghosts(book, add);
  offlineTwice(book, add);
  neverOffline(book, add, count);
  store(book, add, count);
  for (const p of book.problems) add('failed', { page: p.page, why: `${p.what}: ${p.why}` });
  return { book, found, count, bad: found.filter((f) => broken.includes(f.what)) };
}

function leaks(book, add) {
  for (const page of book.pages.values()) {
    for (const got of page.got) {
      const m = book.messages.get(got.id);
      const why = m && leaked(book, page.user, got, m);
      if (why) add('leaked', { page: page.page, id: m.id, user: page.user, why });
    }
  }
}

// What was answered is stored, once; what was stored and not answered is counted.
function store(book, add, count) {
  const tags = new Map();
  const looked = [...book.messages.values()].some((m) => m.stored);
  for (const m of book.messages.values()) {
    if (m.answered === undefined) count.unanswered++;
    if (looked && !m.stored) add('lost in store', { id: m.id, why: `${m.tag} was answered and is not stored` });
    const other = tags.get(m.tag);
    if (other) add('stored twice', { id: m.id, why: `${m.tag} is ${other} and ${m.id}` });
    tags.set(m.tag, m.id);
  }
}

// How many of each, by what and whom: { 'lost modern': 3, 'unknowable lost': 1, … }.
export function tally(found) {
  const counts = {};
  for (const f of found) {
    const name = [f.what, f.of, f.who].filter(Boolean).join(' ');
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

export function summary({ found, count }) {
  const parts = [`due ${count.due}`];
  for (const [name, n] of Object.entries(tally(found)).sort()) parts.push(`${name} ${n}`);
  if (count.doubt) parts.push(`unknowable for at most ${count.doubt} ms`);
  for (const [reason, n] of Object.entries(count.notDue)) parts.push(`not due ${n} (${reason})`);
  if (count.twoPods) parts.push(`out of order through two pods ${count.twoPods}`);
  if (count.unanswered) parts.push(`stored and never answered ${count.unanswered}`);
  parts.push(`absences told ${count.absences}`);
  return parts.join(', ');
}
