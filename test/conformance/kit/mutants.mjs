// Ways to break the Node control, each on purpose. Together they must fail every test (prove.mjs).
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const engineDir = dirname(require.resolve('engine.io', { paths: [dirname(require.resolve('socket.io'))] }));
const ioDir = dirname(require.resolve('socket.io'));

const engine = (file) => require(join(engineDir, file));
const library = (file) => require(join(ioDir, file));

// Which subprotocol is chosen. The engine makes its WebSocket server anew once it listens.
function chooses(io, handleProtocols) {
  const { opts } = io.engine;
  opts.wsEngine = class extends opts.wsEngine { constructor(more) { super({ ...more, handleProtocols }); } };
}

export const mutants = {
  // nobody gets in
  'no-connect': (io) => io.use((socket, next) => next(new Error('out'))),
  // the session id is always unknown
  'no-session': (io) => { io.engine.verify = (req, upgrade, fn) => fn(1, {}); },
  'wrong-words': () => {
    const { Server } = engine('server.js');
    for (const k of Object.keys(Server.errorMessages)) Server.errorMessages[k] = 'Something';
  },
  // every request is good
  'no-verify': (io) => {
    const real = io.engine.verify;
    io.engine.verify = function (req, upgrade, fn) { return real.call(this, req, upgrade, (code, ctx) => (code === undefined ? fn() : fn(undefined, ctx))); };
  },
  // a connection is never closed by Socket.IO
  'never-close': () => {
    const { Client } = library('client.js');
    Client.prototype.close = () => {};
    Client.prototype.onerror = () => {};
  },
  // nor by Engine.IO
  'never-error': () => {
    const { Socket } = engine('socket.js');
    Socket.prototype.onClose = () => {};
    Socket.prototype.onError = () => {};
  },
  'no-messages': (io) => { io.engine.on('connection', (s) => { s.onPacket = () => {}; }); },
  'deaf-to-events': () => { library('socket.js').Socket.prototype._onpacket = () => {}; },
  // every frame, good or bad, ends the connection
  'closes-at-once': () => {
    const { Client } = library('client.js');
    Client.prototype.ondecoded = function () { this.close(); };
    Client.prototype.ondata = function () { this.conn.close(); };
  },
  // what is said is not what was meant
  'wrong-hello': () => {
    const { Socket } = engine('socket.js');
    const real = Socket.prototype.sendPacket;
    Socket.prototype.sendPacket = function (type, data, ...more) {
      if (type === 'open') data = JSON.stringify({ ...JSON.parse(data), more: 1, pingInterval: 1 });
      if (type === 'ping' || type === 'pong') return;
      return real.call(this, type, data, ...more);
    };
  },
  // every answer is a little off
  'garbled': () => {
    const { Client } = library('client.js');
    const real = Client.prototype.writeToEngine;
    Client.prototype.writeToEngine = function (packets, opts) {
      return real.call(this, packets.map((p) => (typeof p === 'string' ? p.replace('true', 'false').replace('"sid"', '"id"').replace('Invalid', 'Bad').replace('new_message', 'message').replace('token_', '') : p)), opts);
    };
  },
  'no-subprotocol': (io) => chooses(io, () => false),
  'last-subprotocol': (io) => chooses(io, (offered) => [...offered].at(-1)),
  'no-cors': (io) => { io.engine.middlewares.length = 0; },
  'no-limits': (io) => { io.engine.opts.maxHttpBufferSize = 1e9; io.engine.ws.options.maxPayload = 1e9; },
  'lets-eio3-in': (io) => { io.engine.opts.allowEIO3 = true; },
  'no-upgrade': () => { engine('socket.js').Socket.prototype._maybeUpgrade = (transport) => transport.close(); },
};

export function mutate(io, name) {
  if (!name) return;
  if (!mutants[name]) throw new Error(`no mutant ${name}`);
  mutants[name](io);
}
