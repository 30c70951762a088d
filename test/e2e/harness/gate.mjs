// A TCP gate in front of a server: it can be shut (every connection cut, new ones refused) and opened
// again on the same port, and it can stand in front of several servers as a load balancer does.
import net from 'node:net';

export class Gate {
  constructor(targets) {
    this.targets = targets.map(({ host = '127.0.0.1', port }) => ({ host, port: Number(port) }));
    this.pairs = new Set();
    this.turn = 0;
    this.upgradeDelay = 0; // ms by which a WebSocket opens later than a plain request
  }

  async open() {
    if (this.server) return this;
    this.server = net.createServer((client) => this.#connect(client, this.turn++, this.targets.length));
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.port ?? 0, '127.0.0.1', resolve);
    });
    this.port = this.server.address().port;
    return this;
  }

  #connect(client, index, tries) {
    client.on('error', () => {});
    if (tries === 0) return client.destroy();
    const upstream = net.connect(this.targets[index % this.targets.length]);
    upstream.once('error', () => { if (!upstream.opened) this.#connect(client, index + 1, tries - 1); });
    upstream.once('connect', () => {
      upstream.opened = true;
      upstream.on('error', () => client.destroy());
      const pair = [client, upstream];
      this.pairs.add(pair);
      client.setNoDelay(true);
      upstream.setNoDelay(true);
      upstream.pipe(client);
      if (!this.upgradeDelay) client.pipe(upstream);
      else client.once('data', (head) => {
        client.pause();
        setTimeout(() => { upstream.write(head); client.pipe(upstream); }, /upgrade: websocket/i.test(head) ? this.upgradeDelay : 0);
      });
      for (const s of pair) {
        s.once('close', () => { this.pairs.delete(pair); client.destroy(); upstream.destroy(); });
      }
    });
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
