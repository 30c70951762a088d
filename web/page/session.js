// The connection of one user: the stock client, and what to tell people about it.

const names = { websocket: 'WebSocket', polling: 'HTTP polling', webtransport: 'WebTransport' };
const firstRetry = 1000; // ms
const lastRetry = 5000; // ms

// Dispatches "state" when state or detail changed. state is connected,
// reconnecting or offline; offline is only ever what the user asked for.
export class Session extends EventTarget {
  state = 'offline';
  detail = '';
  #wanted = false;
  #refused = 0;
  #retry = 0;

  constructor(demo, userId) {
    super();
    this.demo = demo;
    this.socket = globalThis.io({
      path: new URL('.', document.getElementById('client').src).pathname, // the transports are where the client came from
      auth: (give) => give({ token: demo.token(userId) }),
      autoConnect: false,
      forceNew: true, // two users in one page are two connections
      reconnectionDelay: 500,
      reconnectionDelayMax: 3000,
    });
    this.socket.on('connect', () => {
      this.#refused = 0;
      this.#connected();
      this.socket.io.engine.once('upgrade', () => this.#connected());
    });
    this.socket.on('disconnect', () => this.#lost());
    this.socket.on('connect_error', (error) => this.#lost(error));
    this.socket.io.on('reconnect_attempt', (attempt) => this.#reconnecting(attempt));
  }

  goOnline() {
    this.#wanted = true;
    this.#set('reconnecting', 'Connecting…');
    this.socket.connect();
  }

  goOffline() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.socket.disconnect();
    this.#set('offline', 'Offline');
  }

  #connected() {
    const { name } = this.socket.io.engine.transport;
    if (this.socket.connected) this.#set('connected', `Connected · ${names[name] ?? name}`);
  }

  #reconnecting(attempt) {
    if (this.#wanted) this.#set('reconnecting', attempt > 1 ? `Reconnecting, attempt ${attempt}…` : 'Reconnecting…');
  }

  // A client retries by itself when a connection breaks, and leaves it to the
  // application when the server said no.
  #lost(error) {
    if (!this.#wanted) return;
    if (this.state === 'connected') this.#reconnecting(0);
    if (this.socket.active) return;
    const wait = Math.min(firstRetry * 2 ** this.#refused++, lastRetry);
    this.#reconnecting(this.#refused);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(async () => {
      if (String(error?.data?.code).startsWith('token_')) await this.demo.renew().catch(() => {});
      if (this.#wanted && !this.socket.active) this.socket.connect();
    }, wait);
  }

  #set(state, detail) {
    if (this.state === state && this.detail === detail) return;
    Object.assign(this, { state, detail });
    this.dispatchEvent(new Event('state'));
  }
}
