// The clients of a measurement, in a process of their own: bare WebSockets that speak just enough Socket.IO
// to connect and answer pings, so that the load costs little beside the server.
import { createRequire } from 'node:module';

const WebSocket = createRequire(new URL('../package.json', import.meta.url))('ws');

let received = 0;
let goal = Infinity;
let reached = () => {};
let arrivals = null; // [tag, nanoseconds] while latencies are taken
const sockets = [];

function onEvent(text) {
  received++;
  if (arrivals) {
    const tag = /"content":"lat:(\d+)"/.exec(text)?.[1];
    if (tag) arrivals.push([Number(tag), process.hrtime.bigint().toString()]);
  }
  if (received >= goal) reached();
}

function open({ url, token, rooms }) {
  return new Promise((resolve, reject) => {
    const base = url.replace(/^http/, 'ws');
    const ws = new WebSocket(rooms ? `${base}/?rooms=${rooms}` : `${base}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false, skipUTF8Validation: true });
    sockets.push(ws);
    ws.on('error', reject);
    if (rooms) ws.on('open', () => resolve(null));
    ws.on('message', (data) => {
      const text = data.toString('latin1');
      if (text.startsWith('42["new_message"')) onEvent(text);
      else if (text === '2') ws.send('3');
      else if (text[0] === '0') ws.send(`40${JSON.stringify({ token })}`);
      else if (text.startsWith('40')) resolve(JSON.parse(text.slice(2)).sid);
      else if (text.startsWith('44')) reject(new Error(text));
    });
    ws.on('close', (code) => { if (!ending) tell({ lost: code }); });
  });
}

let ending = false;
const commands = {
  // Returns the socket ids, where there are any, in the order of the clients.
  async open({ clients }) {
    const ids = [];
    for (let i = 0; i < clients.length; i += 50) ids.push(...await Promise.all(clients.slice(i, i + 50).map(open)));
    return ids;
  },
  reset() { received = 0; },
  // Answers once `count` events have come since the last reset.
  expect({ count, ms }) {
    return new Promise((resolve, reject) => {
      const end = (fn, v) => { clearTimeout(timer); goal = Infinity; reached = () => {}; fn(v); };
      const timer = setTimeout(() => end(reject, new Error(`${received} of ${count} events in ${ms} ms`)), ms);
      goal = count;
      reached = () => end(resolve, received);
      if (received >= count) reached();
    });
  },
  latencies({ on }) {
    const taken = arrivals;
    arrivals = on ? [] : null;
    return taken;
  },
  close() {
    ending = true;
    for (const ws of sockets) ws.terminate();
    setTimeout(() => process.exit(0), 50);
  },
};

const tell = (m) => { if (process.connected) process.send(m, () => {}); };

process.on('message', async ({ id, command, ...args }) => {
  try {
    tell({ id, result: await commands[command](args) ?? null });
  } catch (err) {
    tell({ id, error: err.message });
  }
});
process.on('disconnect', () => process.exit(0));
