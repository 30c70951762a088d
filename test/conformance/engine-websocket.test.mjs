// Engine.IO over WebSocket: frames, sizes, the end.
import assert from 'node:assert/strict';
import http from 'node:http';
import { afterEach, test } from 'node:test';
import { waitFor } from '../e2e/harness/wait.mjs';
import { usePod } from './kit/pod.mjs';
import { address, closeWires, request, Wire } from './kit/wire.mjs';
import { closeStock, connect, connected } from './kit/stock.mjs';
import { MAX_PAYLOAD } from './kit/settings.mjs';

const pod = usePod();
afterEach(() => { closeWires(); closeStock(); });

// A WebSocket handshake with exactly these Sec-WebSocket-Protocol lines: [status, what was chosen].
const offer = (lines) => new Promise((resolve, reject) => {
  const headers = ['Host', new URL(pod.url).host, 'Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='];
  for (const line of lines) headers.push('Sec-WebSocket-Protocol', line);
  http.get(address(pod, { EIO: '4', transport: 'websocket' }), { headers, agent: false })
    .on('upgrade', (res, socket) => { socket.destroy(); resolve([res.statusCode, res.headers['sec-websocket-protocol']]); })
    .on('response', (res) => { res.resume(); resolve([res.statusCode, undefined]); })
    .on('error', reject);
});

test('of the subprotocols offered the first is taken; a list that is none is refused', async () => {
  for (const [lines, answer] of [
    [[], [101, undefined]], [['x'], [101, 'x']], [['b, a'], [101, 'b']], [['b\t,a '], [101, 'b']], [['b', 'a'], [101, 'b']],
    [[''], [400, undefined]], [['a,'], [400, undefined]], [[',a'], [400, undefined]], [['a, a'], [400, undefined]], [['a', 'a'], [400, undefined]], [['a b'], [400, undefined]], [['a, b@c'], [400, undefined]],
  ]) assert.deepEqual(await offer(lines), answer, JSON.stringify(lines));
});

for (const transports of [['websocket'], ['polling', 'websocket']]) {
  test(`a stock client that names subprotocols connects: ${transports}`, async () => {
    const socket = connect(pod, '4.8.4', { transports, protocols: ['second', 'first'] });
    await connected(socket);
    await waitFor(() => socket.io.engine.transport.name === 'websocket', 8_000, 'the upgrade');
    assert.equal(socket.io.engine.transport.ws.protocol, 'second');
  });
}

async function gone(sid) {
  const res = await request(pod, { EIO: '4', transport: 'polling', sid });
  assert.deepEqual([res.status, res.json], [400, { code: 1, message: 'Session ID unknown' }]);
}

test('a message gets its answer', async () => {
  const w = await Wire.joined(pod);
  await w.answers();
});

test('a message in fragments is one message', async () => {
  const w = await Wire.joined(pod);
  w.ws.send('425["typ', { fin: false });
  w.ws.send(`ing",{"chatId":"${pod.chatId}",`, { fin: false });
  w.ws.send('"isTyping":false}]', { fin: true });
  assert.equal(await w.next((f) => f.startsWith('435')), '435[{"ok":true}]');
});

// The specification would close; Node does not look at packet 1 on a WebSocket, nor do we.
test('packet 1 changes nothing', async () => {
  const w = await Wire.joined(pod);
  w.send('1');
  await w.answers();
});

test('a close by the client is answered and ends the session', async () => {
  const w = await Wire.joined(pod);
  w.ws.close(1000);
  assert.equal((await w.ended()).code, 1000);
  await gone(w.engine);
});

for (const frame of ['abc', '7', '', '9{}', '\u0000']) {
  test(`the frame ${JSON.stringify(frame)} closes that connection alone`, async () => {
    const other = await Wire.joined(pod);
    const w = await Wire.joined(pod);
    w.send(frame);
    assert.equal((await w.ended()).code, 1005);
    await gone(w.engine);
    await other.answers();
  });
}

test('a ping from the client closes: with protocol 4 the server asks', async () => {
  const w = await Wire.joined(pod);
  w.send('2');
  assert.equal((await w.ended()).code, 1005);
});

for (const frame of ['3', '3probe', '6', '5', '0', '0{}']) {
  test(`the frame ${JSON.stringify(frame)} out of turn changes nothing`, async () => {
    const w = await Wire.joined(pod);
    w.send(frame, frame);
    await w.answers();
  });
}

test('the frame "3" before CONNECT changes nothing', async () => {
  const w = await Wire.open(pod);
  w.send('3', '3');
  await w.join();
  await w.answers();
});

test('a frame of exactly the limit is taken, one byte more closes with 1009', async () => {
  const w = await Wire.joined(pod);
  const head = `426["typing",{"chatId":"${pod.chatId}","isTyping":false},"`;
  const fits = `${head}${'x'.repeat(MAX_PAYLOAD - head.length - 2)}"]`;
  assert.equal(fits.length, MAX_PAYLOAD);
  w.send(fits);
  assert.equal(await w.next((f) => f.startsWith('436')), '436[{"ok":true}]');
  w.send(`${fits} `);
  assert.equal((await w.ended()).code, 1009);
  await gone(w.engine);
});

test('text that is not UTF-8 closes with 1007', async () => {
  const w = await Wire.joined(pod);
  w.ws.send(Buffer.from([0x34, 0x32, 0xff, 0xfe]), { binary: false });
  assert.equal((await w.ended()).code, 1007);
});
