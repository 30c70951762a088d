// Writes golden.json: what the stock packages put on the wire. Run it once with
// socket.io 4.8.4, @socket.io/redis-adapter 8.3.0, @socket.io/redis-emitter
// 5.1.0 and @socket.io/redis-streams-adapter 0.3.1 installed beside it:
//
//   node golden.cjs > golden.json
"use strict";
const crypto = require("crypto");
crypto.randomBytes = (n) => Buffer.alloc(n); // ids become AAAAAA and 0000000000000000
const { Server } = require("socket.io");
const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
const { createAdapter: createStreamsAdapter } = require("@socket.io/redis-streams-adapter");
const { Emitter } = require("@socket.io/redis-emitter");
const { encode, decode } = require("notepack.io");
const msgpack = require("@msgpack/msgpack");

const values = {
  null: null, undefined: undefined, true: true, false: false,
  zero: 0, minusZero: -0, int127: 127, int128: 128, int255: 255, int256: 256, int65535: 65535, int65536: 65536,
  uint32max: 4294967295, uint33: 4294967296, safeMax: Number.MAX_SAFE_INTEGER, big1e17: 1e17, big2e19: 2e19, big1e21: 1e21,
  minus1: -1, minus32: -32, minus33: -33, minus128: -128, minus129: -129, minus32768: -32768, minus32769: -32769,
  minus2147483648: -2147483648, minus2147483649: -2147483649, safeMin: Number.MIN_SAFE_INTEGER,
  float: 1.5, small: 1.5e-7, smaller: 1e-10, minusFloat: -0.1, nan: NaN, infinity: Infinity, maxFloat: Number.MAX_VALUE,
  empty: "", str31: "x".repeat(31), str32: "x".repeat(32), str255: "x".repeat(255), str256: "x".repeat(256), str65536: "x".repeat(65536),
  unicode: "grüße 你好 😀", escapes: "\u0000\b\f\n\r\t\u001f\"\\/\u007f\u2028<>&",
  bin0: Buffer.alloc(0), bin3: Buffer.from([1, 2, 255]), bin256: Buffer.alloc(256, 7), bin65536: Buffer.alloc(65536, 7),
  list0: [], list16: Array(16).fill(1), list65536: Array(65536).fill(0), listUndefined: [undefined, 1],
  map0: {}, map2: { a: 1, b: "x" }, mapUndefined: { a: undefined, b: null }, mapIndex: { "01": 4, b: 1, 10: 2, 9: 3 },
  map16: Object.fromEntries([..."abcdefghijklmnop"].map((k, i) => [k, i])),
  longKey: { ["k".repeat(40)]: 1 },
  date: new Date("2024-02-03T04:05:06.000Z"), dateMillis: new Date("2024-02-03T04:05:06.789Z"),
  dateOld: new Date("1969-12-31T23:59:59.999Z"), dateFar: new Date("2600-01-01T00:00:00.001Z"),
  dateYear10000: new Date(253402300800000), dateBC: new Date(-62198755200000),
  nested: { a: [{ b: { c: [[], {}] } }], d: Buffer.from("hi") },
};
const clean = (v) => JSON.stringify(v === undefined ? null : v);

const out = { values: {}, streams: {}, decoded: {}, classic: {}, emitter: {}, sharded: {}, stream: {} };
for (const [name, v] of Object.entries(values)) {
  const short = (b) => b.length > 600 ? "sha256:" + crypto.createHash("sha256").update(b).digest("hex") : Buffer.from(b).toString("hex");
  const text = (s) => s.length > 1200 ? "sha256:" + crypto.createHash("sha256").update(s).digest("hex") : s;
  out.values[name] = { notepack: short(encode(v)), json: text(clean(v)), decoded: text(clean(decode(encode(v)))) };
  out.streams[name] = short(Buffer.from(msgpack.encode(v)));
}
// What others may send and notepack still reads.
for (const hex of ["d40000", "82a161d40000a16201", "92d4000001", "d700000001723ade3fe8", "d6ff65bdbb92", "d7ff000000040000000a", "c70cff0000000000000000ffffffff",
  "c70300010203", "c80002000102", "d40501", "d5050102", "ca3fc00000", "cb8000000000000000", "cb7ff8000000000000", "cf0020000000000001", "d3ffdfffffffffffff",
  "8101a178", "a2c328", "d7ff0ee6b280ffffffff", "81c3a178"])
  out.decoded[hex] = clean(decode(Buffer.from(hex, "hex")));

function classic() {
  const sent = [];
  const client = () => ({ on() {}, off() {}, psubscribe() {}, subscribe() {}, listenerCount: () => 2,
    publish: (c, m) => sent.push([c, Buffer.from(m).toString("hex")]),
    send_command: (c, a, cb) => cb(null, [a[1], 3]) });
  const io = new Server({ adapter: createAdapter(client(), client()), serveClient: false });
  return { io, sent };
}
function fakeSocket(adapter, nsp, id, data) {
  const s = { id, handshake: { headers: { a: "b" }, time: "now", address: "::1", xdomain: false, secure: false, issued: 1, url: "/x", query: {}, auth: {}, sessionStore: {} },
    rooms: new Set([id, "r1"]), data, acks: new Map(), client: { writeToEngine() {} }, join() {}, leave() {}, disconnect() {} };
  nsp.sockets.set(id, s); adapter.addAll(id, s.rooms);
  return s;
}
const B = Buffer.from([1, 2, 3]);
const sends = {
  all: (io) => io.emit("hi"),
  room: (io) => io.to("r1").emit("new_message", { _id: "1", text: "ü", n: 1.5, m: 300 }),
  rooms: (io) => io.to(["r1", "r2"]).emit("hi", 1, null, true, [-1]),
  except: (io) => io.except("r1").emit("hi"),
  roomExcept: (io) => io.to("r1").except(["a", "b"]).emit("hi"),
  binary: (io) => io.to("r1").emit("bin", B, { b: B }),
  volatile: (io) => io.to("r1").volatile.emit("hi"),
  compress: (io) => io.compress(false).emit("hi"),
  timeout: (io) => io.timeout(1500).to("r1").emit("hi"),
  ack: (io) => io.timeout(1500).to("r1").emit("hi", "x", () => {}),
  join: (io) => io.in("r1").socketsJoin(["a", "b"]),
  leave: (io) => io.in("r1").except("z").socketsLeave("a"),
  disconnect: (io) => io.in("r1").disconnectSockets(true),
  disconnectAll: (io) => io.disconnectSockets(),
  fetch: (io) => io.in("r1").fetchSockets().catch(() => {}),
  rooms_: (io) => io.of("/").adapter.allRooms && io.of("/").adapter.allRooms().catch(() => {}),
  serverSide: (io) => io.serverSideEmit("hello", 1, { a: "b" }),
  serverSideBinary: (io) => io.serverSideEmit("hello", B),
  serverSideAck: (io) => io.serverSideEmit("hello", 1, () => {}),
};
const tick = () => new Promise((r) => setTimeout(r, 20));
const hex = (m) => Buffer.from(m).toString("hex");

(async () => {
  for (const [name, send] of Object.entries(sends)) {
    const { io, sent } = classic();
    send(io); await tick();
    out.classic[name] = sent[0];
    io.of("/").adapter.requests.forEach((r) => clearTimeout(r.timeout));
  }
  {
    // Answers.
    const asks = {
      sockets: JSON.stringify({ uid: "other1", requestId: "q1", type: 0, rooms: ["r1"] }),
      socketsNone: JSON.stringify({ uid: "other1", requestId: "q1", type: 0, rooms: ["none"] }),
      rooms: JSON.stringify({ uid: "other1", requestId: "q1", type: 1 }),
      fetch: JSON.stringify({ uid: "other1", requestId: "q1", type: 5, opts: { rooms: ["r1"], except: [] } }),
      fetchNone: JSON.stringify({ uid: "other1", requestId: "q1", type: 5, opts: { rooms: ["none"], except: [] } }),
      joinOld: JSON.stringify({ uid: "other1", requestId: "q1", type: 2, sid: "s1", room: "x" }),
      serverSide: JSON.stringify({ uid: "other1", requestId: "q1", type: 6, data: ["hello"] }),
      broadcast: encode({ uid: "other1", requestId: "q1", type: 7, packet: { type: 2, data: ["hi"], nsp: "/" }, opts: { rooms: ["r1"], except: [], flags: { timeout: 10 } } }),
    };
    for (const [name, ask] of Object.entries(asks)) {
      const { io, sent } = classic();
      const nsp = io.of("/"), adapter = nsp.adapter;
      const s = fakeSocket(adapter, nsp, "s1", { user: "u1" });
      nsp.on("hello", (cb) => cb({ ok: true }));
      await adapter.onrequest("socket.io-request#/#", Buffer.from(ask)); await tick();
      if (name === "broadcast") { s.acks.get(0)("yes", 2); s.acks.get(0)(B); s.acks.get(0)(); }
      out.classic["answer:" + name] = sent;
    }
  }
  {
    const e = { all: (io) => io.emit("hi"), room: (io) => io.to("r1").emit("hi", 1), join: (io) => io.in("r1").socketsJoin("a"), serverSide: (io) => io.serverSideEmit("hello", 1) };
    for (const [name, send] of Object.entries(e)) {
      const sent = [];
      send(new Emitter({ publish: (c, m) => sent.push([c, hex(m)]) }));
      out.emitter[name] = sent[0];
    }
  }
  const skip = new Set(["rooms_"]);
  for (const [name, send] of Object.entries(sends)) {
    if (skip.has(name)) continue;
    const sent = [];
    const client = { on() {}, ssubscribe() {}, sunsubscribe() {}, spublish: (c, m) => (sent.push([c, hex(m)]), Promise.resolve()), send_command: (c, a, cb) => cb(null, [a[1], 3]) };
    const io = new Server({ adapter: createShardedAdapter(client, client), serveClient: false });
    send(io); await tick();
    out.sharded[name] = sent[0];
    io.of("/").adapter.requests.forEach((r) => clearTimeout(r.timeout));
  }
  for (const [name, send] of Object.entries(sends)) {
    if (skip.has(name)) continue;
    const sent = [];
    const client = { on() {}, options: {}, duplicate: () => client, subscribe() {}, disconnect() {}, xread: () => new Promise(() => {}),
      publish: (c, m) => (sent.push(["publish", c, hex(m)]), Promise.resolve()),
      xadd: (a) => (sent.push(["xadd", ...a.map(String)]), Promise.resolve("1-1")), send_command: (c, a, cb) => cb(null, [a[1], 3]) };
    client.xadd.call = (_, a) => client.xadd(a);
    const io = new Server({ adapter: createStreamsAdapter(client), serveClient: false });
    await tick();
    send(io); await tick();
    out.stream[name] = sent[0];
    io.of("/").adapter.requests.forEach((r) => clearTimeout(r.timeout));
  }
  // Answers of the two cluster adapters.
  const asks = {
    fetch: { uid: "other1", nsp: "/", type: 7, data: { requestId: "q1", opts: { rooms: ["r1"], except: [], flags: {} } } },
    fetchNone: { uid: "other1", nsp: "/", type: 7, data: { requestId: "q1", opts: { rooms: ["none"], except: [], flags: {} } } },
    serverSide: { uid: "other1", nsp: "/", type: 9, data: { requestId: "q1", packet: ["hello"] } },
    broadcast: { uid: "other1", nsp: "/", type: 3, data: { requestId: "q1", packet: { type: 2, data: ["hi"] }, opts: { rooms: ["r1"], except: [], flags: { timeout: 10 } } } },
  };
  for (const kind of ["sharded", "stream"])
    for (const [name, ask] of Object.entries(asks)) {
      const sent = [];
      const client = { on() {}, options: {}, duplicate: () => client, subscribe() {}, ssubscribe() {}, disconnect() {}, xread: () => new Promise(() => {}),
        publish: (c, m) => (sent.push(["publish", c, hex(m)]), Promise.resolve()), spublish: (c, m) => (sent.push([c, hex(m)]), Promise.resolve()) };
      const io = new Server({ adapter: (kind === "sharded" ? createShardedAdapter(client, client) : createStreamsAdapter(client)), serveClient: false });
      const nsp = io.of("/"), adapter = nsp.adapter;
      const s = fakeSocket(adapter, nsp, "s1", { user: "u1" });
      nsp.on("hello", (cb) => cb({ ok: true }));
      adapter.onMessage(JSON.parse(JSON.stringify(ask))); await tick();
      if (name === "broadcast") { s.acks.get(0)("yes", 2); s.acks.get(0)(B); s.acks.get(0)(); }
      out[kind]["answer:" + name] = sent;
    }
  process.stdout.write(JSON.stringify(out, null, 1) + "\n", () => process.exit(0));
})();
