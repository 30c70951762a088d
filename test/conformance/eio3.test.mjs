// Engine.IO 3, for socket.io-client 2.x, when ALLOW_EIO3 is on.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { afterEach, describe, test } from 'node:test';
import { sleep } from '../e2e/harness/wait.mjs';
import { onNode, usePod } from './kit/pod.mjs';
import { closeStock, connect, heard } from './kit/stock.mjs';
import { closeWires, request, Wire } from './kit/wire.mjs';
import { assertNotBefore, beating, patient, PING_INTERVAL, PING_TIMEOUT, slack } from './kit/settings.mjs';

const require = createRequire(import.meta.url);
const { encodePayload } = createRequire(require.resolve('sioc25'))('engine.io-parser'); // what 2.x sends
const octets = (packets) => new Promise((resolve) => { encodePayload(packets.map((data) => ({ type: 'message', data })), true, resolve); });

afterEach(() => { closeWires(); closeStock(); });

// <length in UTF-16 units>:<packet>, again and again.
function split(payload) {
  const out = [];
  for (let rest = payload; rest;) {
    const m = rest.match(/^(\d+):/);
    assert.ok(m, `not a payload: ${JSON.stringify(payload)}`);
    const from = m[0].length;
    assert.ok(rest.length >= from + Number(m[1]), `cut short: ${JSON.stringify(payload)}`);
    out.push(rest.slice(from, from + Number(m[1])));
    rest = rest.slice(from + Number(m[1]));
  }
  return out;
}
const join = (...packets) => packets.map((p) => `${p.length}:${p}`).join('');

describe('ALLOW_EIO3=true', () => {
  const pod = usePod({ ...patient, ALLOW_EIO3: 'true' });
  const typing = () => `["typing",{"chatId":"${pod.chatId}","isTyping":false}]`;

  async function open(more = {}, form = { b64: '1' }) {
    const first = await request(pod, { EIO: '3', transport: 'polling', ...form, ...more });
    assert.equal(first.status, 200, JSON.stringify(first));
    const packets = split(first.text);
    assert.equal(packets[0][0], '0');
    const hello = JSON.parse(packets[0].slice(1));
    const query = { EIO: '3', transport: 'polling', ...form, sid: hello.sid };
    const s = { hello, query, packets: packets.slice(1), get: (ms) => request(pod, query, { ms }), post: (body, type) => request(pod, query, { method: 'POST', body, headers: type && { 'content-type': type } }) };
    s.next = async (match) => {
      for (let i = 0; i < 20; i++) {
        while (s.packets.length) { const p = s.packets.shift(); if (match(p)) return p; }
        const res = await s.get();
        assert.equal(res.status, 200, JSON.stringify(res));
        s.packets.push(...split(res.text));
      }
      throw new Error('no such packet');
    };
    return s;
  }

  test('polling: the handshake, and the namespace joined without CONNECT', async () => {
    const s = await open({ token: pod.bob.token });
    assert.deepEqual(Object.keys(s.hello).sort(), ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades']);
    assert.deepEqual(s.hello.upgrades, ['websocket']);
    assert.equal(await s.next(() => true), '40');
    assert.equal((await s.post(join(`421${typing()}`, `422${typing()}`))).text, 'ok');
    assert.equal(await s.next((p) => p.startsWith('43')), '431[{"ok":true}]');
    assert.equal(await s.next((p) => p.startsWith('43')), '432[{"ok":true}]');
  });

  test('polling: lengths count UTF-16 units', async () => {
    const s = await open({ token: pod.bob.token });
    await s.next((p) => p === '40');
    await pod.say('żółw 🐢');
    await pod.say('next');
    const texts = [await s.next((p) => p.startsWith('42')), await s.next((p) => p.startsWith('42'))].map((p) => JSON.parse(p.slice(2))[1].content);
    assert.deepEqual(texts, ['żółw 🐢', 'next']);
  });

  const binary = 'application/octet-stream';
  const asking = (id, text) => [`51-${id}["typing",{"chatId":"${pod.chatId}","isTyping":false,"text":"${text}","x":{"_placeholder":true,"num":0}}]`, Buffer.from([0, 4, 255, 0xc3])];

  test('polling without b64: text beyond ASCII and attachments in one body', async () => {
    const s = await open({ token: pod.bob.token }, {});
    await s.next((p) => p === '40');
    const body = await octets([...asking(7, 'é żółw 🐢'), ...asking(8, '三'), `29["typing",{"chatId":"${pod.chatId}","isTyping":false,"text":"ü"}]`]);
    assert.ok(Buffer.isBuffer(body));
    const res = await s.post(body, binary);
    assert.deepEqual([res.status, res.text], [200, 'ok'], JSON.stringify(res));
    for (const id of [7, 8, 9]) assert.equal(await s.next((p) => p.startsWith('43')), `43${id}[{"ok":true}]`);
    await pod.say('żółw 🐢');
    assert.equal(JSON.parse((await s.next((p) => p.startsWith('42'))).slice(2))[1].content, 'żółw 🐢');
  });

  for (const [name, bytes] of [['text that is not UTF-8', [0, 2, 255, 0x34, 0xff]], ['text of no type', [0, 2, 255, 0x37, 0x78]], ['a length without an end', [0, 2, 0x34, 0x32]]]) {
    test(`polling without b64: ${name} ends the session`, async () => {
      const s = await open({ token: pod.bob.token }, {});
      await s.next((p) => p === '40');
      const res = await s.post(Buffer.from(bytes), binary);
      assert.ok(res.cut || res.status === (onNode ? 200 : 400), JSON.stringify(res)); // as with protocol 4
      assert.deepEqual((await s.get()).json, { code: 1, message: 'Session ID unknown' });
    });
  }

  test('polling: a body without a packet ends the session, a binary one does not', async () => {
    for (const [body, type, alive] of [[Buffer.alloc(0), binary, true], ['', undefined, false], ['0:', undefined, true]]) {
      const s = await open({ token: pod.bob.token }, {});
      await s.next((p) => p === '40');
      const res = await s.post(body, type);
      assert.ok(res.cut || res.status === (alive || onNode ? 200 : 400), JSON.stringify(res));
      const next = await s.post(join('2'));
      assert.equal(next.status, alive ? 200 : 400, JSON.stringify([body, next]));
    }
  });

  test('polling: the client pings, the server pongs', async () => {
    const s = await open({ token: pod.bob.token });
    await s.next((p) => p === '40');
    assert.equal((await s.post(join('2'))).text, 'ok');
    assert.equal(await s.next(() => true), '3');
  });

  test('polling: without a token 44 with the data alone', async () => {
    const s = await open();
    const p = await s.next(() => true);
    assert.equal(p.slice(0, 2), '44');
    const body = JSON.parse(p.slice(2));
    assert.deepEqual([Object.keys(body), body.code], [['code', 'message'], 'token_missing']);
  });

  test('websocket: the handshake, 40, a ping with text, an ack, an upgrade of nothing', async () => {
    const w = new Wire(pod, { EIO: '3', token: pod.bob.token });
    const hello = JSON.parse((await w.next()).slice(1));
    assert.deepEqual(hello.upgrades, []);
    assert.equal(await w.next(), '40');
    w.send('2');
    assert.equal(await w.next(), '3');
    await w.answers();
    await pod.say('over three');
    assert.match(await w.next((f) => f.startsWith('42')), /over three/);
  });

  test('the upgrade from polling', async () => {
    const s = await open({ token: pod.bob.token });
    await s.next((p) => p === '40');
    const poll = s.get();
    await sleep(50);
    const w = new Wire(pod, { EIO: '3', sid: s.hello.sid });
    await w.opened();
    w.send('2probe');
    assert.equal(await w.next(), '3probe');
    assert.deepEqual(split((await poll).text), ['6']);
    w.send('5');
    await w.answers();
  });

  test('a session of version 3 is not for requests of version 4', async () => {
    const s = await open({ token: pod.bob.token });
    const res = await request(pod, { EIO: '4', transport: 'polling', sid: s.hello.sid });
    assert.deepEqual([res.status, res.json], [400, { code: 3, message: 'Bad request' }]);
  });

  test('a pong from the client closes: with protocol 3 the client asks', async () => {
    const w = new Wire(pod, { EIO: '3', token: pod.bob.token });
    await w.next((f) => f === '40');
    w.send('3');
    await w.ended();
  });

  test('version 4 goes on beside it', async () => {
    const w = await Wire.joined(pod);
    await w.answers();
  });
});

describe('ALLOW_EIO3=true and short times', () => {
  const pod = usePod({ ...beating, ALLOW_EIO3: 'true' });

  test('pings keep the session, silence ends it', async () => {
    const w = new Wire(pod, { EIO: '3', token: pod.bob.token });
    await w.next((f) => f === '40');
    const silence = PING_INTERVAL + PING_TIMEOUT;
    const joined = performance.now();
    let from;
    do {
      await sleep(PING_TIMEOUT / 2);
      from = performance.now();
      w.send('2');
      assert.equal(await w.next((f) => f === '3'), '3');
    } while (from - joined < silence + 500); // without the pings it would be gone by now
    await w.ended(silence + slack);
    assertNotBefore(from, silence);
    assert.ok(!w.all.includes('2'), 'the server does not ping');
  });
});

describe('ALLOW_EIO3 off', () => {
  const pod = usePod();
  for (const transport of ['polling', 'websocket']) {
    test(`socket.io-client 2.5.0 is told at once, over ${transport}`, async () => {
      const socket = connect(pod, '2.5.0', { transports: [transport] });
      await heard(socket, 'connect_error', 3_000);
      assert.equal(socket.connected, false);
    });
  }

  test('the reason: its version is not supported', async () => {
    const res = await request(pod, { EIO: '3', transport: 'polling' });
    assert.deepEqual([res.status, res.json], [400, { code: 5, message: 'Unsupported protocol version' }]);
  });
});
