// A history put in order: messages, pages with their connections, who was in which chat when, what was broken when.
const soon = 3_000; // a client notices by then that its pod was killed

export class Book {
  run = {};
  chats = new Map(); // id → Set of users at the beginning
  messages = new Map(); // id → message
  asks = new Map(); // tag → { tag, sender, chat, n, asked, refused: [] }
  pages = new Map(); // name → page
  seats = new Map(); // name → its pages, in the order in which they were opened
  moves = []; // { chat, user, added, asked, answered }, in order of the asking
  faults = []; // { what, n, on, from, to }
  told = []; // announcements, as events
  sets = []; // what Redis held
  problems = [];
  lags = []; // when this process itself was held up: { from, to }
  offsets = [];

  constructor(events) {
    this.events = events;
    for (const e of events) this[`_${e.e}`]?.(e);
    this.until = events.at(-1)?.t ?? 0;
    for (const page of this.pages.values()) for (const conn of page.conns) this.#ending(conn);
    for (const page of this.pages.values()) {
      for (const { id, t } of page.got) {
        const m = this.messages.get(id);
        if (m) { m.first = Math.min(m.first ?? t, t); (m.receipts ??= []).push({ t, page: page.page }); }
      }
    }
    this.moves.sort((a, b) => a.asked - b.asked);
  }

  _run(e) { this.run = e; }

  _chat(e) { this.chats.set(e.chat, new Set(e.members)); }

  _page(e) {
    const page = { ...e, opened: e.t, conns: [], got: [], closed: undefined };
    this.pages.set(e.page, page);
    if (!this.seats.has(e.seat)) this.seats.set(e.seat, []);
    this.seats.get(e.seat).push(page);
  }

  _closed(e) { this.pages.get(e.page).closed = e.t; }

  _conn(e) { this.pages.get(e.page).conns.push({ page: e.page, conn: e.conn, sid: e.sid, from: e.t, to: undefined, broke: undefined, got: [], slow: [] }); }

  #conn(e) { return this.pages.get(e.page)?.conns.find((c) => c.conn === e.conn); }

  _disc(e) { Object.assign(this.#conn(e) ?? {}, { to: e.t, why: e.why }); }

  _break(e) {
    const conn = this.#conn(e);
    if (conn && conn.broke === undefined) Object.assign(conn, { broke: e.t, how: e.how });
  }

  _slow(e) {
    const conn = this.#conn(e);
    if (!conn) return;
    if (e.on) conn.slow.push({ from: e.t, to: Infinity });
    else if (conn.slow.length) conn.slow.at(-1).to = e.t;
  }

  _got(e) {
    const got = { id: e.id, t: e.t, conn: e.conn, page: e.page, at: e.at };
    this.pages.get(e.page).got.push(got);
    this.#conn(e)?.got.push(got);
  }

  _offset(e) {
    const conn = this.#conn(e);
    if (conn) conn.heard = e.heard;
  }

  _ask(e) { this.asks.set(e.tag, { tag: e.tag, sender: e.sender, chat: e.chat, n: e.n, asked: e.t, careless: e.careless, refused: [] }); }

  _refused(e) { this.asks.get(e.tag).refused.push(e); }

  _answer(e) {
    const ask = this.asks.get(e.tag);
    this.messages.set(e.id, { ...ask, id: e.id, at: e.at, answered: e.t, pod: e.pod, tries: e.tries });
  }

  // What is in the database in the end, though nobody may have been told.
  _stored(e) {
    const known = this.messages.get(e.id);
    if (known) known.stored = true;
    else this.messages.set(e.id, { ...(this.asks.get(e.tag) ?? { tag: e.tag, sender: e.sender, chat: e.chat }), id: e.id, at: e.at, stored: true });
  }

  _member(e) {
    if (e.phase === 'ask') this.moves.push({ chat: e.chat, user: e.user, added: e.op === 'add', asked: e.t, answered: Infinity, n: e.n });
    else Object.assign(this.moves.find((m) => m.n === e.n) ?? {}, { answered: e.t });
  }

  _told(e) { this.told.push(e); }

  _set(e) { this.sets.push(e); }

  _problem(e) { this.problems.push(e); }

  _lag(e) { this.lags.push({ from: e.t - e.ms, to: e.t }); }

  _fault(e) {
    if (e.phase === 'begin') this.faults.push({ what: e.what, n: e.n, on: e.on, from: e.t, to: Infinity });
    else Object.assign(this.faults.findLast((f) => f.n === e.n && f.what === e.what) ?? {}, { to: e.t });
  }

  // When and how a connection really broke: a page may be told much later, or just then.
  #ending(conn) {
    if (conn.broke !== undefined || conn.to === undefined) return;
    const killed = this.faults.findLast((f) => f.what === 'pod killed' && f.from <= conn.to && f.from > conn.to - soon);
    // Its pod knows of it where it closed it. A poll that came to another pod, or a ping that did not come, it does not.
    const seen = ['transport close', 'io server disconnect'].includes(conn.why);
    Object.assign(conn, killed ? { broke: killed.from, how: 'pod killed' } : { broke: conn.to, how: seen ? 'server' : 'unseen' });
  }

  // Whether something of these kinds went on between the two times.
  trouble(from, to, kinds) { return this.faults.some((f) => kinds.includes(f.what) && f.from <= to && f.to >= from); }

  conns(seat) { return this.seats.get(seat).flatMap((p) => p.conns); }

  // The seat's connection after this one, on whichever page.
  following(conn) { return this.conns(this.pages.get(conn.page).seat).find((c) => c.from >= (conn.broke ?? conn.from) && c !== conn); }

  seatsOf(user) { return [...this.seats].filter(([, pages]) => pages[0].user === user).map(([seat]) => seat); }

  lagged(t) { return this.lags.some((l) => t >= l.from - 50 && t <= l.to + 200); }
}
