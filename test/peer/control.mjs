// POST /control: a test says what this server's `io` shall do. Values JSON cannot hold travel marked:
// { $bin: base64 }, { $date: iso }, { $undefined: true }, { $number: "NaN" | "Infinity" | "-0" }.
// It listens on loopback beside the rest and belongs to tests alone.
import express from 'express';

export function unmark(v) {
  if (Array.isArray(v)) return v.map(unmark);
  if (v === null || typeof v !== 'object') return v;
  if ('$bin' in v) return Buffer.from(v.$bin, 'base64');
  if ('$date' in v) return new Date(v.$date);
  if ('$undefined' in v) return undefined;
  if ('$number' in v) return Number(v.$number);
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, unmark(x)]));
}

export function mark(v) {
  if (v === undefined) return { $undefined: true };
  if (v instanceof Date) return { $date: v.toISOString() };
  if (Buffer.isBuffer(v)) return { $bin: v.toString('base64') };
  if (v instanceof ArrayBuffer || ArrayBuffer.isView(v)) return { $bin: Buffer.from(v.buffer ?? v).toString('base64') };
  if (typeof v === 'number' && (!Number.isFinite(v) || Object.is(v, -0))) return { $number: Object.is(v, -0) ? '-0' : String(v) };
  if (Array.isArray(v)) return v.map(mark);
  if (v === null || typeof v !== 'object') return v;
  return Object.fromEntries(Object.entries(v).filter(([, x]) => typeof x !== 'function').map(([k, x]) => [k, mark(x)]));
}

// io.to(rooms).except(rooms)… as told.
export function operator(io, { to = [], except = [], flags = {} }) {
  let op = io.to(to);
  if (except.length) op = op.except(except);
  if (flags.volatile) op = op.volatile;
  if (flags.local) op = op.local;
  if (flags.compress !== undefined) op = op.compress(flags.compress);
  if (flags.timeout !== undefined) op = op.timeout(flags.timeout);
  return op;
}

const describe = (s) => ({ id: s.id, rooms: [...s.rooms], handshake: s.handshake, data: s.data });

// What a call reports: its answers, and the error where there was one.
const outcome = (err, responses) => (err ? { message: err.message, responses } : { responses });

const operations = {
  emit: (io, c) => operator(io, c).emit(c.event, ...c.args),
  emitWithAck: (io, c) => operator(io, c).emitWithAck(c.event, ...c.args).then((responses) => outcome(null, responses), (err) => outcome(err, err.responses)),
  socketsJoin: (io, c) => operator(io, c).socketsJoin(c.rooms),
  socketsLeave: (io, c) => operator(io, c).socketsLeave(c.rooms),
  disconnectSockets: (io, c) => operator(io, c).disconnectSockets(c.close),
  fetchSockets: async (io, c) => (await operator(io, c).fetchSockets()).map(describe),
  allRooms: async (io) => [...await io.of('/').adapter.allRooms()],
  serverCount: (io) => io.of('/').adapter.serverCount(),
  serverSideEmit: (io, c) => io.serverSideEmit(c.event, ...c.args),
  serverSideEmitWithAck: (io, c) => new Promise((resolve) => {
    io.serverSideEmit(c.event, ...c.args, (err, responses) => resolve(outcome(err, responses)));
  }),
};

// The last entry read from the stream; without one the adapter reads from "now" each time it asks, and between
// two times it misses what comes. And a way to make it read late.
function stream(adapter) {
  const read = adapter.onRawMessage; // none where there is no stream
  let last = null;
  let lag = 0;
  if (read) {
    adapter.onRawMessage = (message, offset) => {
      last = offset;
      if (lag > 0) setTimeout(() => read.call(adapter, message, offset), lag);
      else read.call(adapter, message, offset);
    };
  }
  return { offset: () => last, lag: (io, { ms }) => { lag = ms; } };
}

export function attachControl({ app, io, name, sockets }) {
  const heard = []; // serverSideEmit events that arrived here
  const own = { settled: () => sockets.settled(), ...stream(io.of('/').adapter) };
  io.on('peer:ask', (...args) => {
    const ack = args.pop();
    heard.push(['peer:ask', ...args]);
    if (typeof ack === 'function') ack({ from: name, args });
    else heard.at(-1).push(ack);
  });
  io.on('peer:tell', (...args) => heard.push(['peer:tell', ...args]));
  io.on('peer:silent', () => {});

  app.post('/control', express.json({ limit: '20mb' }), async (req, res) => {
    const c = { args: [], ...req.body };
    c.args = unmark(c.args);
    if (c.op === 'heard') return res.json({ result: mark(heard.splice(0)) });
    const operation = [own, operations].find((o) => Object.hasOwn(o, c.op))?.[c.op];
    if (!operation) return res.status(400).json({ error: `no op ${c.op}` });
    try {
      res.json({ result: mark(await operation(io, c) ?? null) });
    } catch (err) {
      res.json({ error: err.message });
    }
  });
}
