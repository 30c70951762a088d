// Engine.IO with bare hands: an HTTP session and a WebSocket that send what they are told.
import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import { waitFor } from '../../e2e/harness/wait.mjs';

export const RS = '\x1e';
const open = new Set();
export const patience = Number(process.env.CONFORMANCE_PATIENCE ?? 10_000); // ms for a close that is due at once
const longest = Math.max(patience, 5_000); // ms for an answer to a request

export const address = (pod, query) => `${pod.url}/socket.io/?${new URLSearchParams(query)}`;

// One request. An answer that is cut off is { cut: true }: Node does that to a POST it does not like.
export async function request(pod, query, { method = 'GET', body, headers, ms = longest } = {}) {
  try {
    const res = await fetch(address(pod, query), { method, body, headers, signal: AbortSignal.timeout(ms) });
    const text = await res.text();
    let json;
    try { json = JSON.parse(text); } catch { /* not JSON */ }
    return { status: res.status, type: res.headers.get('content-type'), headers: res.headers, text, json };
  } catch (err) {
    if (err.name === 'TimeoutError') throw new Error(`${method} ${JSON.stringify(query)}: no answer within ${ms} ms`);
    return { cut: true, error: err.cause?.code ?? err.message };
  }
}

export class Polling {
  static async open(pod, EIO = '4', more = {}) {
    const res = await request(pod, { EIO, transport: 'polling', ...more });
    assert.equal(res.status, 200, JSON.stringify(res));
    assert.equal(res.text[0], '0', res.text);
    const s = new Polling();
    const [first, ...rest] = res.text.split(RS);
    Object.assign(s, { pod, EIO, hello: JSON.parse(first.slice(1)), pending: rest });
    s.sid = s.hello.sid;
    return s;
  }

  query() { return { EIO: this.EIO, transport: 'polling', sid: this.sid }; }

  get(ms) { return request(this.pod, this.query(), { ms }); }

  post(body, options) { return request(this.pod, this.query(), { method: 'POST', body, ...options }); }

  async say(body) {
    const res = await this.post(body);
    assert.deepEqual([res.status, res.text], [200, 'ok'], JSON.stringify(res));
    return res;
  }

  // The packets of the next polls until one fits; those before it are left out.
  async until(match, ms = longest) {
    const seen = [];
    const deadline = Date.now() + ms;
    for (;;) {
      for (const p of this.pending.splice(0)) { seen.push(p); if (match(p)) return p; }
      const left = deadline - Date.now();
      assert.ok(left > 0, `no such packet; saw ${JSON.stringify(seen)}`);
      const res = await this.get(left);
      assert.equal(res.status, 200, `${JSON.stringify(res)} after ${JSON.stringify(seen)}`);
      this.pending.push(...res.text.split(RS));
      if (this.pending.includes('2')) await this.say('3');
    }
  }

  async join(auth = this.pod.auth()) {
    await this.say(`40${auth}`);
    const p = await this.until((x) => x.startsWith('40') || x.startsWith('44'));
    assert.ok(p.startsWith('40'), p);
    return JSON.parse(p.slice(2)).sid;
  }

  // A closed session is known to nobody.
  async assertGone() {
    const res = await this.get();
    assert.equal(res.status, 400, JSON.stringify(res));
    assert.deepEqual(res.json, { code: 1, message: 'Session ID unknown' });
  }
}

export class Wire {
  constructor(pod, query, { pong = true } = {}) {
    this.pod = pod;
    this.frames = []; // text frames as strings, binary ones as Buffers
    this.all = [];
    this.pong = pong; // whether pings are answered unseen
    this.ws = new WebSocket(address(pod, { EIO: '4', transport: 'websocket', ...query }).replace('http', 'ws'));
    open.add(this);
    this.ws.on('message', (data, binary) => {
      const frame = binary ? data : data.toString();
      this.all.push(frame);
      if (this.pong && frame === '2') this.ws.send('3');
      else this.frames.push(frame);
    });
    this.ws.on('close', (code, reason) => { this.closed = { code, reason: reason.toString() }; open.delete(this); });
    this.ws.on('error', (error) => { this.error = error; });
    this.ws.on('unexpected-response', (req, res) => {
      let text = '';
      res.on('data', (c) => { text += c; }).on('end', () => {
        let json;
        try { json = JSON.parse(text); } catch { /* not JSON */ }
        this.refused = { status: res.statusCode, text, json };
        req.destroy();
      });
    });
  }

  // Opened, the Engine.IO handshake read.
  static async open(pod, query, options) {
    const w = new Wire(pod, query, options);
    const first = await w.next();
    assert.equal(first[0], '0', first);
    w.hello = JSON.parse(first.slice(1));
    w.engine = w.hello.sid;
    return w;
  }

  // Opened and in the namespace.
  static async joined(pod, query, options) {
    const w = await Wire.open(pod, query, options);
    w.sid = await w.join();
    return w;
  }

  send(...frames) { for (const f of frames) this.ws.send(f); return this; }

  async next(match = () => true, ms = patience) {
    await waitFor(() => this.frames.some((f) => match(f)) || this.closed || this.refused, ms, () => `a frame; has ${JSON.stringify(this.frames)}`);
    const i = this.frames.findIndex((f) => match(f));
    assert.ok(i >= 0, `no such frame: closed ${JSON.stringify(this.closed)}, refused ${JSON.stringify(this.refused)}, has ${JSON.stringify(this.frames)}`);
    return this.frames.splice(i, 1)[0];
  }

  async join(auth = this.pod.auth()) {
    this.send(`40${auth}`);
    const f = await this.next((x) => /^4[04]/.test(x));
    assert.ok(f.startsWith('40'), f);
    return JSON.parse(f.slice(2)).sid;
  }

  opened(ms = longest) { return waitFor(() => this.ws.readyState === WebSocket.OPEN, ms, () => `open; ${JSON.stringify([this.closed, this.refused])}`); }

  // Closed by the server within ms; resolves with { code, reason }.
  ended(ms = patience) { return waitFor(() => this.closed, ms, () => `the server to close; has ${JSON.stringify(this.frames)}`); }

  // Refused or closed without one frame of the protocol.
  async rejected(ms = patience) {
    await waitFor(() => this.refused || this.closed, ms, () => `a refusal; has ${JSON.stringify(this.all)}`);
    assert.deepEqual(this.all, [], 'nothing is said to it');
    return this.refused ?? this.closed;
  }

  // Proof that everything sent before was read and the connection lives: an ack for a question asked now.
  async answers() {
    const id = Wire.asked = (Wire.asked ?? 1000) + 1;
    this.send(`42${id}["typing",{"chatId":"${this.pod.chatId}","isTyping":false}]`);
    assert.equal(await this.next((f) => typeof f === 'string' && f.startsWith(`43${id}[`)), `43${id}[{"ok":true}]`);
  }

  close() { this.ws.terminate(); }
}

export function closeWires() { for (const w of [...open]) w.close(); open.clear(); }
