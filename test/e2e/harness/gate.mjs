// A TCP gate in front of a server: it can be shut (every connection cut, new ones refused) and opened
// again on the same port, and it can stand in front of several servers as a load balancer does.
import net from 'node:net';
import { quietPort } from './ports.mjs';

export class Gate {
  constructor(targets) {
    this.targets = targets.map(({ host = '127.0.0.1', port }) => ({ host, port: Number(port) }));
    this.pairs = new Set();
    this.turn = 0;
  }

  async open() {
    if (this.server) return this;
    this.server = net.createServer((client) => this.#connect(client, this.turn++, this.targets.length));
    this.port ??= await quietPort(); // it is opened at the same one again
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.port, '127.0.0.1', resolve);
    });
    return this;
  }

  #connect(client, index, tries) {
    client.on('error', () => {});
    if (tries === 0) return client.destroy();
    const upstream = net.connect(this.targets[index % this.targets.length]);
    upstream.once('error', () => { if (!upstream.opened) this.#connect(client, index + 1, tries - 1); });
    upstream.once('connect', () => {
      upstream.opened = true;
      if (!this.server) { client.destroy(); upstream.destroy(); return; } // shut while it was on its way
      upstream.on('error', () => client.destroy());
      const pair = [client, upstream];
      this.pairs.add(pair);
      client.setNoDelay(true);
      upstream.setNoDelay(true);
      upstream.pipe(client);
      const held = this.held;
      if (!held) client.pipe(upstream);
      else client.once('data', async (head) => {
        client.pause();
        if (/upgrade: websocket/i.test(head)) await held;
        upstream.write(head);
        client.pipe(upstream);
      });
      for (const s of pair) {
        s.once('close', () => { this.pairs.delete(pair); client.destroy(); upstream.destroy(); });
      }
    });
  }

  // WebSockets do not open before the function it returns is called.
  holdUpgrades() {
    let release;
    this.held = new Promise((resolve) => { release = () => { this.held = undefined; resolve(); }; });
    return release;
  }

  // Cuts what is connected and keeps taking new connections.
  cut() {
    for (const [a, b] of this.pairs) { a.destroy(); b.destroy(); }
    this.pairs.clear();
  }

  // The network goes silent for what is connected now: nothing passes and nobody is told. New connections work.
  freeze() {
    for (const [client, upstream] of this.pairs) {
      client.unpipe(upstream);
      upstream.unpipe(client);
      for (const s of [client, upstream]) s.pause();
    }
  }

  async shut() {
    const server = this.server;
    this.server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    this.cut();
    await closed;
  }
}
