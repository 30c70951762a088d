// All that is recorded about one message for one page, with what was broken, in order of time.
// node test/chaos/explain.mjs HISTORY            every anomaly, a line each
// node test/chaos/explain.mjs HISTORY ID [PAGE]  the message, for the page or for all
// node test/chaos/explain.mjs HISTORY PAGE       the page alone; a user's id is the user's pages
// node test/chaos/explain.mjs HISTORY USER PAGE  the user's pages, and what that page was told of them
import { fileURLToPath } from 'node:url';
import { Book } from './book.mjs';
import { check, summary } from './check.mjs';
import { readHistory } from './history.mjs';

const around = 20_000; // ms before and after

export function explain(book, id, who, watcher) {
  const message = book.messages.get(id);
  const pages = [...book.pages.values()].filter((p) => who && (p.page === who || p.seat === who || p.user === who));
  const seats = new Set(pages.map((p) => p.seat));
  const users = new Set(pages.map((p) => p.user));
  const ofPage = (e) => e.page && seats.has(book.pages.get(e.page)?.seat);
  const theirs = id ? book.events.filter((e) => e.id === id && (!who || ofPage(e) || !e.page)) : book.events.filter(ofPage);
  const back = message && [...seats].map((seat) => book.conns(seat).find((c) => c.from > message.at)?.from); // when they came the next time
  const times = [message?.asked, message?.at, ...(back ?? []), ...theirs.filter((e) => e.e !== 'stored').map((e) => e.t)].filter(Boolean);
  const [from, to] = times.length ? [Math.min(...times) - around, Math.max(...times) + around] : [0, Infinity];
  // What happens to other pages and other members is left out.
  const concerns = ({ on }) => seats.has(book.pages.get(on)?.seat) || users.has(on) || !(book.pages.has(on) || /^[0-9a-f]{24}$/.test(on));
  // Of who was told that they came and went, what one of them heard, or three.
  const heard = new Set(watcher ? [watcher] : book.told.filter((e) => users.has(e.user)).map((e) => e.page).slice(0, 3));
  const wanted = (e) => {
    if (e.id === id && id !== undefined && (!who || ofPage(e) || !e.page)) return true;
    if (message && e.tag === message.tag && e.e !== 'got') return true;
    if (e.t < from || e.t > to) return false;
    if (e.e === 'fault') return !who || concerns(e);
    if (['problem', 'settling', 'leaving'].includes(e.e)) return true;
    if (['page', 'closed', 'conn', 'disc', 'break', 'slow'].includes(e.e)) return ofPage(e) || (watcher && e.page === watcher);
    if (e.e === 'told') return !id && users.has(e.user) && heard.has(e.page);
    if (e.e === 'member') return (users.has(e.user) || !who) && (!message || e.chat === message.chat);
    return false;
  };
  const zero = message?.at ?? book.events[0]?.t;
  const head = message ? `message ${id} (${message.tag}) of ${message.sender} in ${message.chat}, by ${message.pod}; times are from its createdAt, ${new Date(zero).toISOString()}` : `times are from ${new Date(zero ?? 0).toISOString()}`;
  const page = pages[0] && `${[...seats].join(', ')}: user ${pages[0].user}, ${pages[0].version} ${pages[0].how}`;
  // Of what a page got only this message, what came just before and after, and how many the rest were.
  return [head, page, ...book.events.filter((e) => wanted(e) || (ofPage(e) && neighbour(book, e, message))).map((e) => line(e, zero))].filter(Boolean).join('\n');
}

// The last and the first messages of each connection of the page say how far it had got.
function neighbour(book, e, message) {
  if (e.e !== 'got' || !message) return false;
  const conn = book.pages.get(e.page).conns.find((c) => c.conn === e.conn);
  if (!conn || e.t < message.at - around || e.t > message.at + around) return false;
  return [conn.got[0], conn.got.at(-1)].some((g) => g && g.t === e.t && g.id === e.id);
}

function line({ t, e, ...fields }, zero) {
  const rest = Object.entries(fields).filter(([, v]) => v !== undefined).map(([k, v]) => `${k}=${typeof v === 'object' ? JSON.stringify(v) : v}`);
  return `${((t - zero) / 1000).toFixed(3).padStart(10)} ${e.padEnd(8)} ${rest.join(' ')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, one, two] = process.argv.slice(2);
  const book = new Book(readHistory(file));
  const isPage = one && !book.messages.has(one) && !book.events.some((e) => e.id === one);
  if (one) console.log(isPage ? explain(book, undefined, one, two) : explain(book, one, two));
  else {
    const result = check(book);
    for (const f of result.found) console.log([f.what, f.of, f.who, f.id, f.page ?? f.user, f.why].filter(Boolean).join(' | '));
    console.log(summary(result));
  }
}
