// Stock socket.io clients that write down everything they are sent.
import { createRequire } from 'node:module';
import { waitFor } from './wait.mjs';

const require = createRequire(import.meta.url);
export const libs = ['sioc48', 'sioc40', 'sioc31'];
const library = Object.fromEntries(libs.map((name) => [name, require(name)]));

export const transportSets = {
  websocket: ['websocket'],
  polling: ['polling'],
  upgrade: ['polling', 'websocket'],
};

const open = new Set();

export class Client {
  constructor(url, { lib = 'sioc48', auth, transports = ['websocket'], ...options } = {}) {
    this.messages = []; // payloads of new_message, in order
    this.calls = []; // the full argument lists of new_message
    this.offsets = []; // what recovery goes by: what follows new_message
    this.events = []; // [name, ...args] of everything else
    this.errors = []; // connect_error
    this.connects = 0;
    this.disconnects = []; // reasons
    this.io = library[lib].io ?? library[lib];
    this.socket = this.io(url, {
      auth, transports, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, autoConnect: false, ...options,
    });
    this.socket.on('connect', () => { this.connects++; this.firstTransport ??= this.transport; });
    this.socket.on('disconnect', (reason) => this.disconnects.push(reason));
    this.socket.on('connect_error', (err) => this.errors.push(err));
    this.socket.onAny((name, ...args) => {
      if (name === 'new_message') { this.messages.push(args[0]); this.calls.push(args); } else if (name === 'parley:offset') this.offsets.push(...args);
      else this.events.push([name, ...args]);
    });
    open.add(this);
    this.socket.connect();
  }

  get id() { return this.socket.id; }

  get transport() { return this.socket.io.engine.transport.name; }

  ids() { return this.messages.map((m) => m._id); }

  texts() { return this.messages.map((m) => m.content); }

  named(name) { return this.events.filter((e) => e[0] === name).map((e) => e[1]); }

  async connected(ms = 10_000) {
    await waitFor(() => this.socket.connected || this.errors.length > 0, ms, `connect (${JSON.stringify(this.disconnects)})`);
    if (!this.socket.connected) {
      const err = this.errors[0];
      throw new Error(`connect_error: ${err.message} ${JSON.stringify(err.data)} ${err.description ?? ''}`);
    }
    return this;
  }

  async got(n, ms = 10_000) {
    await waitFor(() => this.messages.length >= n, ms, () => `${n} messages, has ${this.messages.length}`);
    return this.messages;
  }

  async has(id, ms = 10_000) {
    return waitFor(() => this.messages.find((m) => m._id === id), ms, `message ${id}`);
  }

  async saw(name, match = () => true, ms = 10_000) {
    return waitFor(() => this.named(name).find(match), ms, `event ${name}`);
  }

  ask(event, data, ms = 5_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ack for ${event} within ${ms} ms`)), ms);
      this.socket.emit(event, data, (reply) => { clearTimeout(timer); resolve(reply); });
    });
  }

  // Loses the connection as a bad network does: the client did not ask for it and comes back by itself.
  drop() { this.socket.io.engine.close(); }

  close() {
    open.delete(this);
    this.socket.disconnect();
    this.socket.io.reconnection(false);
    this.socket.io.engine?.close();
  }
}

export function closeClients() {
  for (const c of [...open]) c.close();
}
