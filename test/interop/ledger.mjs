// Who was sent what, when, and by which pod: the books of the migration test.
import { Client } from '../e2e/harness/clients.mjs';

export const clock = () => performance.now();

// A client that notes on which pod it is. Pods are told apart by the ping interval of their handshake.
export class Watcher {
  constructor(url, { name, user, token, transports, pods }) {
    Object.assign(this, { name, user, transports });
    this.stays = []; // { pod, from, heard, to } one for each connect
    this.receipts = new Map(); // message id -> [{ at, stay }]
    this.client = new Client(url, { auth: { token }, transports, query: { client: name }, reconnectionDelay: 100, reconnectionDelayMax: 500 });
    const { socket } = this.client;
    socket.on('connect', () => {
      const stay = { pod: pods.get(socket.io.engine._pingInterval) ?? { kind: 'unknown', name: '?' }, from: clock(), heard: clock(), to: Infinity };
      this.stays.push(stay);
      socket.io.engine.on('packet', () => { stay.heard = clock(); });
    });
    // Polling ends with the last poll that is answered; the client learns that from the next one, some time later.
    socket.on('disconnect', (reason) => Object.assign(this.stay, { to: this.client.transport === 'polling' ? this.stay.heard : clock(), reason }));
    socket.on('new_message', ({ _id }) => {
      const list = this.receipts.get(_id) ?? [];
      this.receipts.set(_id, list);
      this.stay.heard = clock();
      list.push({ at: this.stay.heard, stay: this.stay });
    });
  }

  get stay() { return this.stays.at(-1); }

  // Where the client was for the whole time, with some room before; undefined where it moved.
  during(from, to) { return this.stays.find((s) => s.from <= from && s.to >= to); }

  // The pod that ought to have sent what fell into the gap at t.
  after(t) { return this.stays.find((s) => s.to > t)?.pod; }

  // What the client was doing at t, in words.
  situation(t) {
    const stay = this.stays.find((s) => s.from <= t && s.to > t);
    if (stay) return `connected to ${stay.pod.kind}`;
    const next = this.stays.find((s) => s.from > t);
    return `away, came back on ${next ? next.pod.kind : 'nothing'}`;
  }
}

// Counts by the string key(x) gives.
export function tally(list, key) {
  const counts = {};
  for (const x of list) counts[key(x)] = (counts[key(x)] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort());
}
