// The network between two parts: TCP that can be cut, held, refused, go silent or be slow.
import net from 'node:net';
import { quietPort } from '../e2e/harness/ports.mjs';

const silentFor = 60_000; // how long a connection that went silent is kept for the side that does not know

export class Proxy {
  pairs = new Set();
  slow = 0; // bytes a second towards the client; 0 is as fast as it goes
  from = undefined; // the address connections are made from

  constructor(target) { this.target = target; }

  async open() {
    this.server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => this.#take(client));
    for (;;) {
      this.port = await quietPort();
      const done = await new Promise((resolve) => {
        this.server.once('error', () => resolve(false)).listen(this.port, '127.0.0.1', () => resolve(true));
      });
      if (done) return this;
    }
  }

  #take(client) {
    client.on('error', () => {});
    if (this.refused) { client.resetAndDestroy(); return; }
    const upstream = net.connect({ host: '127.0.0.1', port: this.target, localAddress: this.from, allowHalfOpen: true });
    const pair = { client, upstream, silent: false };
    this.pairs.add(pair);
    for (const s of [client, upstream]) {
      s.setNoDelay(true);
      s.pause();
    }
    this.#pass(pair, client, upstream, false);
    this.#pass(pair, upstream, client, true);
    this.#flow(pair);
  }

  #pass(pair, from, to, down) {
    from.on('data', (chunk) => {
      const room = to.write(chunk);
      if (down && this.slow) {
        pair.waits = true;
        from.pause();
        setTimeout(() => { pair.waits = false; this.#flow(pair); }, (1000 * chunk.length) / this.slow);
      } else if (!room) from.pause();
    });
    to.on('drain', () => this.#flow(pair));
    from.on('end', () => to.end());
    from.on('error', () => {});
    from.on('close', () => {
      if (pair.silent) return; // the other side is told nothing
      if (this.held) { pair.ended = true; return; }
      this.pairs.delete(pair);
      to.destroy();
    });
  }

  #flow(pair) {
    if (this.held || pair.silent || !this.pairs.has(pair)) return;
    if (pair.ended) { this.#end(pair); return; }
    pair.client.resume();
    if (!pair.waits) pair.upstream.resume();
  }

  #end(pair, reset = false) {
    this.pairs.delete(pair);
    for (const s of [pair.client, pair.upstream]) {
      if (reset && !s.destroyed && !s.connecting) s.resetAndDestroy(); else s.destroy();
    }
  }

  // Ends what is connected, for both sides at once.
  cut(reset = false) { for (const pair of [...this.pairs]) if (!pair.silent) this.#end(pair, reset); }

  refuse(on) {
    this.refused = on;
    if (on) this.cut(true);
  }

  // Nothing passes, and everything arrives once it is let go.
  hold(on) {
    this.held = on;
    for (const pair of [...this.pairs]) {
      if (!on) this.#flow(pair);
      else for (const s of [pair.client, pair.upstream]) s.pause();
    }
  }

  // What is connected now goes silent for good: nothing passes and nobody is told. New connections work.
  silence() {
    for (const pair of this.pairs) {
      if (pair.silent) continue;
      pair.silent = true;
      for (const s of [pair.client, pair.upstream]) s.pause();
      setTimeout(() => this.#end(pair), silentFor).unref();
    }
  }

  async close() {
    for (const pair of [...this.pairs]) this.#end(pair);
    await new Promise((resolve) => { this.server.close(resolve); });
  }
}
