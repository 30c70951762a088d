// Browsers: a seat is a place where a user has a page open, by whatever network; a page is one load of it, with a stock client.
import { createRequire } from 'node:module';
import { token } from '../e2e/harness/token.mjs';

const require = createRequire(import.meta.url);
const libraries = {
  '4.8.4': { io: require('sioc48'), modern: true, eio3: false },
  '4.0.2': { io: require('sioc40'), modern: false, eio3: false },
  '2.5.0': { io: require('sioc25'), modern: false, eio3: true },
};
export const versions = Object.keys(libraries);
export const transports = { websocket: ['websocket'], polling: ['polling'], upgrade: ['polling', 'websocket'] };

export class Seat {
  loads = 0;

  constructor(name, user, { version, how, history, proxy, random }) {
    Object.assign(this, { name, user, version, how, history, proxy, random });
    this.move();
  }

  // To another address, by which nginx sends it to another pod, or not.
  move() { this.proxy.from = `127.0.${this.random.between(1, 200)}.${this.random.between(2, 250)}`; }

  open() { this.page = new Page(this, `${this.name}.${++this.loads}`); }

  close() {
    this.page.close();
    this.move();
  }

  reset() {
    this.page.broke('reset');
    if (this.random.chance(0.5)) this.move();
    this.proxy.cut(true);
  }

  vanish() {
    this.page.broke('silent');
    if (this.random.chance(0.5)) this.move();
    this.proxy.silence();
  }

  slow(rate) {
    this.proxy.slow = rate;
    const { page } = this;
    this.history.add('slow', { page: page.name, conn: page.conn, on: rate > 0, rate });
  }
}

class Page {
  conn = 0;
  connected = false;

  constructor(seat, name) {
    Object.assign(this, { seat, name, history: seat.history });
    const lib = libraries[seat.version];
    this.history.add('page', { page: name, seat: seat.name, user: seat.user, version: seat.version, modern: lib.modern, eio3: lib.eio3, how: seat.how });
    const jwt = token(seat.user);
    this.socket = lib.io(`http://127.0.0.1:${seat.proxy.port}`, {
      transports: transports[seat.how], forceNew: true, autoConnect: false, ...(lib.eio3 ? { query: { token: jwt } } : { auth: { token: jwt } }),
    });
    this.listen(lib);
    this.socket.connect();
  }

  listen(lib) {
    const { socket, history } = this;
    const on = (name, fn) => socket.on(name, (...args) => { if (!this.closed) fn(...args); });
    on('connect', () => {
      this.connected = true;
      this.sid = lib.eio3 ? '?' : socket.id; // clients of 2.x know Engine.IO's alone
      history.add('conn', { page: this.name, conn: ++this.conn, sid: this.sid, recovered: socket.recovered, last: this.last });
    });
    on('disconnect', (why) => {
      this.connected = false;
      history.add('disc', { page: this.name, conn: this.conn, why });
    });
    on('new_message', (m, ...more) => {
      history.add('got', { page: this.name, conn: this.conn, id: m._id, tag: m.content?.split(' ', 1)[0], at: Date.parse(m.createdAt) });
      this.last = m._id;
      if (more.length) history.add('problem', { what: 'new_message', page: this.name, why: `more than one argument: ${JSON.stringify(more)}` });
    });
    if (lib.modern) {
      on('parley:offset', (text) => {
        const heard = text.split('.')[1];
        if (heard) history.add('offset', { page: this.name, conn: this.conn, heard: parseInt(heard, 36) });
      });
    }
    on('user_online', (u) => history.add('told', { page: this.name, conn: this.conn, user: u.userId, online: true }));
    on('user_offline', (u) => history.add('told', { page: this.name, conn: this.conn, user: u.userId, online: false, lastSeen: u.lastSeen }));
    // A refusal, which stock clients do not try again after; a transport that fails is none.
    const refusal = (err) => history.add('problem', { what: 'refused', page: this.name, why: typeof err === 'string' ? err : `${err.message} ${JSON.stringify(err.data)}` });
    if (lib.eio3) on('error', (err) => { if (typeof err === 'string' || err.code) refusal(err); });
    else on('connect_error', (err) => { if (err.data || /authentication|namespace/i.test(err.message)) refusal(err); });
  }

  broke(how) { if (this.connected) this.history.add('break', { page: this.name, conn: this.conn, how }); }

  // As a browser does it with a tab: the connection ends, and the client has no time to say anything.
  close() {
    this.broke('closed');
    this.history.add('closed', { page: this.name });
    this.closed = true;
    this.connected = false;
    this.seat.proxy.cut();
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    this.socket.io.engine?.close();
  }
}
