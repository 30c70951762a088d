// Prints what the stock packages put on the wire, those of test/peer: socket.io,
// its two parsers, @socket.io/redis-adapter, redis-emitter and redis-streams-adapter.
// What is in adapters/hub must write and read it; test/interop looks that it
// is still what they print.
//
//   node capture.cjs > golden.json
"use strict";
require = require("module").createRequire(require("path").join(__dirname, "../peer/package.json"));
const crypto = require("crypto");
crypto.randomBytes = (n) => Buffer.alloc(n); // ids become AAAAAA and 0000000000000000
const { Server } = require("socket.io");
const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
const { createAdapter: createStreamsAdapter } = require("@socket.io/redis-streams-adapter");
const { Emitter } = require("@socket.io/redis-emitter");
const { encode, decode } = require("notepack.io");
const msgpack = require("@msgpack/msgpack");
const parser = require("socket.io-parser");
const msgpackParser = require("socket.io-msgpack-parser");
const { encodePayload, decodePayload } = require(require("path").join(require("path").dirname(require.resolve("engine.io")), "parser-v3"));
const notepack2 = require("module").createRequire(require.resolve("socket.io-msgpack-parser"))("notepack.io");

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
const hex = (m) => Buffer.from(m).toString("hex");
const clean = (v) => JSON.stringify(v === undefined ? null : v);

const out = { values: {}, streams: {}, decoded: {}, packets: {}, lines: {}, frames: {}, payloads: {}, bodies: {}, classic: {}, emitter: {}, sharded: {}, stream: {} };
for (const [name, v] of Object.entries(values)) {
  const short = (b) => b.length > 600 ? "sha256:" + crypto.createHash("sha256").update(b).digest("hex") : Buffer.from(b).toString("hex");
  const text = (s) => s.length > 1200 ? "sha256:" + crypto.createHash("sha256").update(s).digest("hex") : s;
  out.values[name] = { notepack: short(encode(v)), notepack2: short(notepack2.encode(v)), json: text(clean(v)), decoded: text(clean(decode(encode(v)))) };
  out.streams[name] = short(Buffer.from(msgpack.encode(v)));
}
// What others may send and notepack still reads.
for (const hex of ["d40000", "82a161d40000a16201", "92d4000001", "d700000001723ade3fe8", "d6ff65bdbb92", "d7ff000000040000000a", "c70cff0000000000000000ffffffff",
  "c70300010203", "c80002000102", "d40501", "d5050102", "ca3fc00000", "cb8000000000000000", "cb7ff8000000000000", "cf0020000000000001", "d3ffdfffffffffffff",
  "8101a178", "a2c328", "d7ff0ee6b280ffffffff", "81c3a178"])
  out.decoded[hex] = clean(decode(Buffer.from(hex, "hex")));

// What clients are sent, by either parser.
const packets = {
  connect: { type: 0, data: { sid: "s1", pid: "p1" }, nsp: "/" },
  disconnect: { type: 1, nsp: "/" },
  event: { type: 2, data: ["new_message", { _id: "1", z: "ü", a: [1.5, 300, null, undefined], 10: true, 9: false }], nsp: "/" },
  asking: { type: 2, data: ["q", -1], nsp: "/", id: 3 },
  ack: { id: 7, type: 3, data: [{ ok: true }], nsp: "/" },
  emptyAck: { id: 0, type: 3, data: [], nsp: "/" },
  longAck: { id: 2 ** 63, type: 3, data: [], nsp: "/" },
  refused: { type: 4, data: { message: "Authentication error", data: { code: "token_missing", message: "no" } }, nsp: "/" },
  invalid: { type: 4, nsp: "/admin", data: { message: "Invalid namespace" } },
  binary: { type: 2, data: ["bin", Buffer.from([1, 2]), { b: Buffer.from("x"), z: 1 }], nsp: "/" },
  binaryAck: { id: 5, type: 3, data: [Buffer.alloc(0)], nsp: "/" },
  date: { type: 2, data: ["at", new Date("2024-02-03T04:05:06.789Z")], nsp: "/" },
  offset: { type: 2, data: ["parley:offset", "0123456789abcdef01234567.mjtf2s0k"], nsp: "/" },
};
for (const [name, packet] of Object.entries(packets))
  out.packets[name] = { text: new parser.Encoder().encode(packet).map((p) => typeof p === "string" ? p : { hex: p.toString("hex") }), msgpack: new msgpackParser.Encoder().encode(packet)[0].toString("hex") };

// What clients may send: what each text or frame is to the stock decoders.
const read = (decoder, frame) => {
  let got;
  decoder.on("decoded", ({ type, nsp, id, data }) => { got = { type, nsp, id, data }; });
  try { decoder.add(frame); } catch { return "error"; }
  return got ? JSON.stringify(got) : "more";
};
const lines = [" ", "0", "0{}", "0null", "0[]", '0"x"', "0{\"a\":1}", "0/admin,{}", "0/admin", "0/admin?x=1,", "1", "1{}", "1/admin,", "1x", "2", "21", "2[]", '2["x"]', '2["x"]x', '2["x"] ',
  '21["x",{"b":1,"a":2,"b":3,"9":1,"1":2}]', '2 ["x"]', '21 ["x"]', '2/a,1["x"]', '2/a["x"]', "2[1]", "2[null]", "2[{}]", '2["connect"]', '2["newListener",1]', '2["__proto__"]', '2-1["x"]', '20x5["y"]', '200["x"]',
  '218446744073709551615["x"]', '2["\\ud83d"]', '2["\\u12"]', "2['x']", '2["x",01]', '2["x",1.]', '2["x",-0,1e3,1E-7,1e400]', '2["x",]', '2["a\tb"]', "3", "31", "31[]", "31{}", "3[1]", '31["a",{"z":1,"b":2}]', "4", '4"x"', "4{}", "4[]",
  "5", '50-["x"]', '51-["x"]', "51-", "5-[]", '511-["x"]', '510-["x",{"_placeholder":true,"num":0}]', '5x-["x"]', '51["x"]', "6", "61-1[]", "61-[]", "60-[]", "7", "9[]", "a", "2\u00e9", '2["\u00e9\ud83d\ude00"]', "\ud83d\ude00"];
let seed = 7;
const random = (n) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
const letters = '0123456789-/,[]{}":ax\\u.eE+';
for (let i = 0; i < 600; i++) {
  let line = lines[random(70)];
  for (let n = 1 + random(3); n > 0; n--) { const at = random(line.length + 1); line = line.slice(0, at) + letters[random(letters.length)] + line.slice(at + random(2)); }
  if (!/^[56](?!\d*-)/.test(line) && !/^\d[^[{"]*\s/.test(line) && !/\d{20}/.test(line)) lines.push(line);
}
for (const line of lines) out.lines[line] = read(new parser.Decoder(), line);
const frames = [{ type: 0, data: undefined, nsp: "/", options: { compress: true } }, { type: 0, data: { token: "t" }, nsp: "/" }, { type: 0, data: null, nsp: "/" }, { type: 0, data: [], nsp: "/" }, { type: 1, nsp: "/" }, { type: 1, nsp: "/", data: undefined },
  { type: 1, nsp: "/", data: {} }, { type: 2, data: ["x", { b: 1, a: [2] }], options: { compress: true }, id: 4, nsp: "/" }, { type: 2, data: [], nsp: "/" }, { type: 2, data: ["x"], nsp: "/a", id: undefined }, { type: 2, data: {}, nsp: "/" },
  { type: 2, nsp: "/" }, { type: 2, data: ["x"] }, { type: 2, data: ["x"], nsp: 1 }, { type: 2, data: ["x"], nsp: "/", id: "1" }, { type: 2, data: ["x"], nsp: "/", id: 1.5 }, { type: 2, data: ["x"], nsp: "/", id: null }, { type: 3, data: [1], id: 0, nsp: "/" }, { type: 4, data: "x", nsp: "/" }, { type: 4, data: 1, nsp: "/" },
  { type: 5, data: ["x"], nsp: "/" }, { type: "2", data: ["x"], nsp: "/" }, { type: 1.5, nsp: "/" }, {}, { nsp: "/" }].map((v) => notepack2.encode(v).toString("hex")).concat("", "c0", "90", "80", "81", "a178", "c1", "82a474797065");
for (const frame of frames) out.frames[frame] = read(new msgpackParser.Decoder(), Buffer.from(frame, "hex"));

// What a poll of Engine.IO 3 is answered where something in it is binary, and what a body of that form is to the stock decoder.
const message = (data) => ({ type: "message", data });
const payloads = {
  binary: [message(Buffer.from([1, 2, 255]))],
  nothing: [message(Buffer.alloc(0))],
  long: [message(Buffer.alloc(123, 7))],
  mixed: [{ type: "pong" }, message('51-["\u00fc \u20ac \u{1f422}",{"_placeholder":true,"num":0}]'), message(Buffer.from("\u00fc")), { type: "noop" }],
  text: [message('2["\u00fc \u{1f422}"]'), { type: "noop" }],
};
for (const [name, packets] of Object.entries(payloads)) encodePayload(packets, true, (b) => { out.payloads[name] = hex(b); });

const part = (kind, data, length = String(data.length)) => Buffer.concat([Buffer.from([kind, ...[...length].map(Number), 255]), Buffer.from(data)]);
const text = (t) => part(0, Buffer.from(t));
const bodies = {
  text: [text("42[]")], unicode: [text("4\u00fc \u20ac \u{1f422}")], binary: [part(1, [4, 1, 255])], both: [text("4\u00e9"), part(1, [4, 255, 0]), text("2")],
  bare: [text("2")], empty: [], emptyText: [part(0, [])], emptyBinary: [part(1, [])], ping: [part(1, [2])], strangeType: [part(1, [9, 1])], strangeText: [text("7x"), text("4a")], otherKind: [part(7, [4, 1])],
  base64: [text("b4/wA=")], zeros: [part(0, Buffer.from("4a"), "0002")], short: [part(0, Buffer.from("4ab"), "9")], shortBinary: [part(1, [4, 1], "30")],
  notUTF8: [part(0, [0x34, 0xff])], cutUTF8: [part(0, [0x34, 0xc3])], overlong: [part(0, [0x34, 0xc0, 0x80])], half: [part(0, [0x34, 0xed, 0xa0, 0xbd, 0x61])], beyond: [part(0, [0x34, 0xf4, 0x90, 0x80, 0x80])],
  endless: [Buffer.from([0, 1, 2])], noEnd: [text("4a"), Buffer.from([0])], huge: [part(0, Buffer.from("4a"), "9".repeat(30))],
};
for (const [name, parts] of Object.entries(bodies)) {
  const body = Buffer.concat(parts), got = [];
  decodePayload(body, (p) => { got.push(p.type === "error" ? { type: p.type } : Buffer.isBuffer(p.data) ? { type: p.type, hex: hex(p.data) } : { type: p.type, data: p.data }); });
  out.bodies[name] = { body: body.toString("hex"), packets: got };
}

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
