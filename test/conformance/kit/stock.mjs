// The stock clients, whatever their generation.
import { createRequire } from 'node:module';
import { versions } from '../../compat.mjs';

const require = createRequire(import.meta.url);

export const stock = versions(require);

const open = new Set();

export function connect(pod, version, { transports, user = pod.bob, token = user.token, ...more } = {}) {
  const lib = require(stock[version]);
  const io = lib.io ?? lib;
  const old = version.startsWith('2.');
  const socket = io(pod.url, {
    forceNew: true, reconnection: false, timeout: 8_000, ...(transports ? { transports } : {}), ...(old ? { query: token ? { token } : {} } : { auth: token ? { token } : {} }), ...more,
  });
  open.add(socket);
  return socket;
}

export function closeStock() { for (const s of open) s.close(); open.clear(); }

export const heard = (socket, event, ms = 10_000) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`no ${event} within ${ms} ms`)), ms);
  socket.once(event, (...args) => { clearTimeout(timer); resolve(args); });
});

export async function connected(socket, ms = 10_000) {
  if (socket.connected) return;
  await Promise.race([
    heard(socket, 'connect', ms),
    ...['connect_error', 'error'].map((e) => new Promise((_, reject) => { socket.once(e, (err) => reject(new Error(`${e}: ${err?.message ?? JSON.stringify(err)}`))); })),
  ]);
}

export const ask = (socket, event, data, ms = 10_000) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`no ack for ${event} within ${ms} ms`)), ms);
  socket.emit(event, data, (answer) => { clearTimeout(timer); resolve(answer); });
});
