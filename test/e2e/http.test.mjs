// HTTP as browsers, balancers and monitors speak it: preflights, slashes, HEAD, and connections opened ahead. Contract 4 and 7.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import http from 'node:http';
import { test } from 'node:test';
import { api, multipart } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const app = 'https://app.example.com';
const w = useWorld({ pods: 1, env: { CORS_ORIGIN: app } }, () => { ahead.silent = open(); ahead.slow = open(); ahead.slow.socket.write('GET /healthz HTTP/1.1\r\nHos'); });

// A connection without a byte so far.
const ahead = {};
function open() {
  const { hostname, port } = new URL(w.pods[0].url);
  const c = { socket: connect(port, hostname), text: '', at: performance.now() };
  c.socket.on('data', (d) => { c.text += d; }).on('error', (err) => { c.error = err; }).on('close', () => { c.closed = performance.now(); });
  return c;
}

// fetch sends no preflight of its own making.
const ask = (method, path, headers = {}, body) => new Promise((resolve, reject) => {
  const { hostname, port } = new URL(w.pods[0].url);
  http.request({ hostname, port, path, method, headers: { origin: app, ...headers }, agent: false }, (res) => {
    let text = '';
    res.on('data', (d) => { text += d; }).on('error', reject).on('end', () => resolve({ status: res.statusCode, headers: res.headers, text }));
  }).on('error', reject).end(body);
});
const preflight = (path, more) => ask('OPTIONS', path, { 'access-control-request-method': 'POST', ...more });

test('a preflight may ask for any header, on /api as on /socket.io', { timeout: 20_000 }, async () => {
  const wanted = ['authorization', 'baggage', 'sentry-trace', 'traceparent', 'x-requested-with', 'cache-control', 'idempotency-key'];
  for (const path of ['/api/messages', '/api/messages/', '/api/nothing', '/socket.io/?EIO=4&transport=polling', '/socket.io?EIO=4&transport=polling']) {
    for (const asked of [...wanted, wanted.join(',')]) {
      const res = await preflight(path, { 'access-control-request-headers': asked });
      assert.deepEqual([res.status, res.headers['access-control-allow-origin']], [204, app], path);
      assert.equal(res.headers['access-control-allow-headers'], asked, path);
      assert.match(res.headers.vary, /Access-Control-Request-Headers/, path);
    }
  }
  const strange = await preflight('/api/messages', { origin: 'https://elsewhere.example', 'access-control-request-headers': 'baggage' });
  assert.deepEqual([strange.headers['access-control-allow-origin'], strange.headers['access-control-allow-headers']], [undefined, undefined]);
});

test('a trailing slash is served: no answer is a redirect, and a page may read each', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const c = await w.connect(w.pods[0], bob);
  const auth = { authorization: `Bearer ${token(alice)}` };
  const parts = multipart([{ name: 'chatId', value: chatId }, { name: 'textMessage', value: 'hello' }]);
  const sent = await ask('POST', '/api/messages/', { ...auth, 'content-type': `multipart/form-data; boundary=${parts.toString('latin1', 2, parts.indexOf('\r\n'))}`, 'content-length': parts.length }, parts);
  assert.equal(sent.status, 201, sent.text);
  await c.has(JSON.parse(sent.text).messages[0]._id);
  for (const [method, path, status] of [
    ['GET', '/api/chats/', 200], ['GET', `/api/chats/${chatId}/messages/?limit=1`, 200], ['GET', `/api/users/${bob}/online/`, 200],
    ['POST', '/api/messages/', 415], ['PUT', '/api/messages/', 405], ['GET', '/api/nothing/', 404], ['GET', '//api/chats', 404], ['GET', '/nothing', 404],
  ]) {
    const res = await ask(method, path, { ...auth, 'content-type': 'text/plain' });
    assert.deepEqual([res.status, res.headers['access-control-allow-origin']], [status, app], `${method} ${path} ${res.text}`);
    assert.ok(res.headers['x-request-id'] && res.headers['access-control-expose-headers'].includes('Retry-After'), path);
    if (status >= 400) assert.equal(typeof JSON.parse(res.text).error.code, 'string', path);
    if (status === 405) assert.equal(res.headers.allow, 'POST');
  }
  for (const path of ['/healthz/', '/readyz/', '/metrics/']) assert.equal((await ask('GET', path)).status, 200, path);
});

test('HEAD where GET is', { timeout: 20_000 }, async () => {
  const user = objectId();
  for (const path of ['/healthz', '/readyz', '/metrics', '/api/chats', '/api/nothing', '/socket.io/socket.io.min.js', `/files/${'0'.repeat(32)}.png`]) {
    const [get, head] = [await api(w.pods[0], 'GET', path, { token: token(user) }), await api(w.pods[0], 'HEAD', path, { token: token(user) })];
    assert.deepEqual([head.status, head.body, head.headers.get('content-type')], [get.status, '', get.headers.get('content-type')], path);
  }
});

test('OPTIONS says what there is', { timeout: 10_000 }, async () => {
  assert.deepEqual(await ask('OPTIONS', '/healthz').then((r) => [r.status, r.headers.allow]), [204, 'GET, HEAD, OPTIONS']);
  assert.equal((await ask('OPTIONS', '/nothing')).status, 404);
  assert.equal((await ask('OPTIONS', '*')).status, 204);
});

// Balancers keep connections in reserve for up to a minute; headers that have begun have ten seconds.
test('a connection opened ahead serves after a minute, one with slow headers is cut', { timeout: 120_000 }, async () => {
  const { silent, slow } = ahead;
  await waitFor(() => slow.closed, 40_000, 'the slow headers to be cut');
  assert.ok(slow.closed - slow.at >= 9_000, `after ${slow.closed - slow.at} ms`);
  await waitFor(() => performance.now() - silent.at > 61_000 || silent.closed, 70_000, 'a minute');
  assert.equal(silent.closed, undefined, `closed after ${silent.closed - silent.at} ms`);
  silent.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await waitFor(() => silent.text.startsWith('HTTP/1.1 200 OK') || silent.closed, 10_000, () => `an answer; ${JSON.stringify([silent.text, silent.error])}`);
  assert.match(silent.text, /^HTTP\/1.1 200 OK/);
  silent.socket.destroy();
});

test('connections without a byte are counted', { timeout: 20_000 }, async () => {
  const count = async () => Number((await (await fetch(`${w.pods[0].url}/metrics`)).text()).match(/^parley_connections_unspoken (\d+)/m)[1]);
  const all = Array.from({ length: 20 }, open);
  await waitFor(async () => await count() >= 20, 10_000, 'twenty');
  for (const c of all) c.socket.destroy();
  await waitFor(async () => await count() < 20, 10_000, 'them to go');
});
