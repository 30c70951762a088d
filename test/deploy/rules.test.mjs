// What the balancers do with requests and faults that real pods will not show on demand: stand-ins that write
// down what they are sent and answer as they are told.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, describe, test } from 'node:test';
import { rawGet } from '../e2e/harness/http.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { balancers, startNginx } from './balancers.mjs';
import { quietPort } from '../e2e/harness/ports.mjs';

const cleanups = [];
after(async () => { for (const f of cleanups.reverse()) await f(); });

async function standIn() {
  const s = { seen: [], checks: 0, answer: (req, res) => res.end('ok') };
  const server = http.createServer((req, res) => {
    if (req.url === '/readyz') s.checks++;
    if (req.url === '/readyz' || req.url === '/healthz') return res.writeHead(req.url === '/readyz' ? s.ready ?? 200 : 200).end();
    s.seen.push(req);
    req.resume().on('end', () => s.answer(req, res));
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  s.port = server.address().port;
  cleanups.push(() => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }));
  return s;
}

function send(url, { method = 'GET', path = '/api/chats', headers = {}, body, localAddress } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request(url + path, { method, headers, localAddress, agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (c) => { text += c; }).on('error', reject).on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: text }));
    });
    req.on('error', reject).end(body);
  });
}

for (const { name, start, skip } of balancers) {
  describe(name, { skip }, () => {
    async function parts(options) {
      const pods = [await standIn(), await standIn()];
      const lb = await start(pods.map((p) => p.port), options);
      cleanups.push(lb.stop);
      return { pods, lb, seen: () => pods.flatMap((p) => p.seen) };
    }

    test('a POST that a pod has read is never sent twice; a GET is', { timeout: 30_000 }, async () => {
      for (const [what, fault, status] of [
        ['a 503', (req, res) => res.writeHead(503).end('{}'), 503],
        ['a cut connection', (req) => req.socket.destroy(), 502],
      ]) {
        const { pods, lb, seen } = await parts();
        for (const p of pods) p.answer = fault;
        assert.equal((await send(lb.url, { method: 'POST', body: 'x' })).status, status, what);
        assert.equal(seen().length, 1, `POST and ${what}`);

        // One pod well, one not: every GET is answered, and some were tried twice.
        pods[0].answer = (req, res) => res.end('ok');
        for (const p of pods) p.seen.length = 0;
        for (let i = 0; i < 8; i++) assert.equal((await send(lb.url)).status, 200, `GET and ${what}`);
        assert.ok(pods[1].seen.length > 0 && pods[0].seen.length === 8, `${what}: ${pods.map((p) => p.seen.length)}`);
      }
    });

    test('a POST that could not be sent goes to the other pod', { timeout: 30_000 }, async () => {
      const alive = await standIn();
      const lb = await start([await quietPort(), alive.port]); // nobody is there
      cleanups.push(lb.stop);
      for (let i = 0; i < 6; i++) assert.equal((await send(lb.url, { method: 'POST', body: 'x' })).status, 200);
      assert.equal(alive.seen.length, 6);
    });

    test('the pod is told the real client, whatever the client claims', { timeout: 20_000 }, async () => {
      const { lb, seen } = await parts();
      await send(lb.url, { headers: { 'x-forwarded-for': '6.6.6.6' }, localAddress: '127.0.0.9' });
      assert.equal(seen()[0].headers['x-forwarded-for'], '127.0.0.9');
    });

    test('only what clients need is reachable; a body over every limit is refused as Parley would', { timeout: 20_000 }, async () => {
      const { lb, seen } = await parts();
      for (const path of ['/metrics', '/healthz', '/readyz', '/debug/pprof/', '/api/../metrics', '/api/%2e%2e/metrics', '//metrics']) {
        assert.equal((await rawGet(lb.url, path)).status, 404, path);
      }
      assert.equal(seen().length, 0);
      const res = await send(lb.url, { method: 'POST', path: '/api/messages', headers: { 'content-length': 262_668_288 + 1_048_576, expect: '100-continue' } }).catch((err) => err);
      assert.equal(res.status, 413, String(res));
      assert.equal(JSON.parse(res.body).error.code, 'body_too_large');
      assert.equal(seen().length, 0);
    });

    test('Socket.IO is reached with a slash at its end and without, and a post with one has an upload\'s room', { timeout: 20_000 }, async () => {
      const { lb, seen } = await parts();
      for (const path of ['/socket.io/?EIO=4&transport=polling', '/socket.io?EIO=4&transport=polling']) {
        assert.equal((await send(lb.url, { path })).status, 200, path);
        assert.ok(seen().some((req) => req.url === path), path);
      }
      for (const path of ['/api/messages', '/api/messages/']) assert.equal((await send(lb.url, { method: 'POST', path, body: 'x'.repeat(2_000_000) })).status, 200, path);
    });

    test('connections to the pods are used again', { timeout: 20_000 }, async () => {
      const { lb, seen } = await parts();
      const client = new http.Agent({ keepAlive: true, maxSockets: 1 });
      cleanups.push(() => client.destroy());
      for (let i = 0; i < 10; i++) {
        await new Promise((resolve, reject) => { http.get(`${lb.url}/api/chats`, { agent: client }, (res) => res.resume().on('end', resolve)).on('error', reject); });
      }
      assert.equal(seen().length, 10);
      assert.ok(new Set(seen().map((r) => r.socket)).size <= 4, `${new Set(seen().map((r) => r.socket)).size} connections for 10 requests`);
    });
  });
}

test('nginx: an error of its own is no 503, and says so in JSON', { skip: balancers[0].skip, timeout: 20_000 }, async () => {
  const pod = await standIn();
  const lb = await startNginx([pod.port, pod.port]);
  cleanups.push(lb.stop);
  pod.answer = (req) => req.socket.destroy();
  const res = await send(lb.url, { method: 'POST', body: 'x' });
  assert.equal(res.status, 502);
  assert.equal(JSON.parse(res.body).error.code, 'bad_gateway');
});

test('nginx: handshakes from one address are limited, the requests of a session are not', { skip: balancers[0].skip, timeout: 20_000 }, async () => {
  const pod = await standIn();
  const lb = await startNginx([pod.port, pod.port], { changes: [['rate=100r/s', 'rate=1r/s'], ['burst=1000', 'burst=5']] });
  cleanups.push(lb.stop);
  const count = async (path) => (await Promise.all(Array.from({ length: 20 }, () => send(lb.url, { path })))).filter((r) => r.status === 429).length;
  assert.ok(await count('/socket.io/?EIO=4&transport=polling') >= 10);
  assert.equal(await count('/socket.io/?EIO=4&transport=polling&sid=x'), 0);
});

// The answer to the handshake of a WebSocket, which stays open; a balancer may count it as a success only at its end.
function upgrade(url) {
  return new Promise((resolve, reject) => {
    const req = http.request(`${url}/socket.io/?EIO=4&transport=websocket`, {
      agent: false, headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' },
    });
    req.on('upgrade', (res, socket) => { cleanups.push(() => socket.destroy()); resolve(res.statusCode); });
    req.on('response', (res) => { res.resume(); resolve(res.statusCode); }).on('error', reject).end();
  });
}

for (const { name, start, skip } of balancers) {
  test(`${name}: once the pods are back, clients that use WebSockets alone are let in at once`, { skip, timeout: 60_000 }, async () => {
    const ports = [await quietPort(), await quietPort()];
    const lb = await start(ports); // nobody is there
    cleanups.push(lb.stop);
    for (let i = 0; i < 6; i++) assert.ok(await upgrade(lb.url) >= 502);
    for (const port of ports) {
      const server = http.createServer((req, res) => res.end('ok'));
      const upgraded = []; // they are none of the server's any more
      server.on('upgrade', (req, socket) => {
        upgraded.push(socket);
        socket.on('error', () => {});
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n');
      });
      await new Promise((resolve) => { server.listen(port, '127.0.0.1', resolve); });
      cleanups.push(() => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); for (const s of upgraded) s.destroy(); }));
    }
    await waitFor(async () => await upgrade(lb.url) === 101, 20_000, 'the first to be let in');
    const answers = [];
    for (let i = 0; i < 20; i++) answers.push(await upgrade(lb.url));
    assert.deepEqual(answers, Array(20).fill(101));
  });
}

test('HAProxy: with every /readyz red the pods that are alive are still used', { skip: balancers[1].skip, timeout: 20_000 }, async () => {
  const pods = [await standIn(), await standIn()];
  const lb = await balancers[1].start(pods.map((p) => p.port));
  cleanups.push(lb.stop);
  await waitFor(() => pods.every((p) => p.checks >= 4), 8_000, 'the pods to be found well');
  // One red: the other gets everything.
  const said = (from, what) => lb.program.lines.slice(from).some((l) => what.test(l.text));
  let from = lb.program.lines.length;
  pods[0].ready = 503;
  await waitFor(() => said(from, /parley_api\/parley-1 is DOWN/), 8_000, 'the pod to be taken out');
  pods[0].seen.length = 0;
  for (let i = 0; i < 4; i++) assert.equal((await send(lb.url)).status, 200);
  assert.equal(pods[0].seen.length, 0);
  // Both red.
  from = lb.program.lines.length;
  pods[1].ready = 503;
  await waitFor(() => said(from, /backend parley_api has no server available/), 8_000, 'both to be taken out');
  for (let i = 0; i < 4; i++) assert.equal((await send(lb.url, { method: 'POST', body: 'x' })).status, 200);
  assert.equal(pods[0].seen.length > 0, true);
});
