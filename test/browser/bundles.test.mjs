// The client files beside a Node server's: the same answers, byte for byte. Contract 3.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { after, before, test } from 'node:test';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { Server } from 'socket.io';
import { useWorld } from './world.mjs';

const w = useWorld(() => ({ CORS_ORIGIN: 'https://app.example' }));
const names = ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js'].flatMap((name) => [name, `${name}.map`]);
const unpack = { undefined: (body) => body, br: brotliDecompressSync, gzip: gunzipSync, deflate: inflateSync };

let node;
before(async () => {
  const server = createServer();
  const io = new Server(server, { cors: { origin: 'https://app.example', credentials: true } });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  node = { url: `http://127.0.0.1:${server.address().port}`, close: () => io.close() };
});
after(() => node.close());

// fetch unpacks by itself and adds headers of its own; this does neither.
function get(base, path, headers = {}, method = 'GET') {
  return new Promise((resolve, reject) => {
    request(new URL(path, base), { method, headers, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk)).on('error', reject)
        .on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    }).on('error', reject).end();
  });
}

const both = (...args) => Promise.all([get(node.url, ...args), get(w.url, ...args)]);
const told = ({ status, headers }) => ({
  status, type: headers['content-type'], etag: headers.etag, cache: headers['cache-control'], coding: headers['content-encoding'],
});

test('every file, in every encoding', async () => {
  for (const name of names) {
    for (const coding of [undefined, 'br', 'gzip', 'deflate']) {
      const [theirs, ours] = await both(`/socket.io/${name}`, coding && { 'Accept-Encoding': coding });
      assert.equal(theirs.status, 200);
      assert.equal(theirs.headers['content-encoding'], coding);
      assert.deepEqual(told(ours), told(theirs), `${name} ${coding}`);
      assert.ok(unpack[coding](ours.body).equals(unpack[coding](theirs.body)), `${name} ${coding}: the content`);
      if (coding) assert.ok(ours.body.length <= theirs.body.length * 1.02, `${name} ${coding}: ${ours.body.length} bytes, Node sends ${theirs.body.length}`);
    }
  }
});

test('which encoding is taken', async () => {
  for (const accept of [
    'gzip, deflate, br, zstd', 'br, gzip', 'deflate, gzip', 'gzip;q=0.5, br;q=0.4', 'gzip;q=0, *', '*', '*;q=0', 'identity', 'identity, gzip;q=0.1',
    'identity;q=0', 'GZIP', 'gzip;q=0', 'gzip ; q=0.2 , br;q=0.2', 'zstd', '', ',,', 'gzip;q=x', 'br;q=0.5, *;q=0.8', 'gzip, gzip;q=0', 'gzip;q=0, gzip', 'x-gzip', 'gzip;level=9;q=0.1, deflate;q=0.2',
  ]) {
    const [theirs, ours] = await both('/socket.io/socket.io.min.js', { 'Accept-Encoding': accept });
    assert.deepEqual(told(ours), told(theirs), `Accept-Encoding: ${accept}`);
  }
});

test('304 for what the client has already', async () => {
  for (const [etag, status] of [['"4.8.4"', 304], ['W/"4.8.4"', 304], ['"4.8.3"', 200], ['4.8.4', 200], ['', 200]]) {
    const [theirs, ours] = await both('/socket.io/socket.io.js', { 'If-None-Match': etag });
    assert.deepEqual([theirs.status, ours.status], [status, status], etag);
    if (status === 304) assert.equal(ours.body.length, 0);
  }
  // Lists and * are in the standard; Node reads neither.
  for (const etag of ['"1", W/"4.8.4"', '*']) assert.equal((await get(w.url, '/socket.io/socket.io.js', { 'If-None-Match': etag })).status, 304, etag);
});

test('HEAD, queries, and names that are none', async () => {
  const [theirs, ours] = await both('/socket.io/socket.io.js?v=1', { 'Accept-Encoding': 'gzip' }, 'HEAD');
  assert.deepEqual(told(ours), told(theirs));
  assert.equal(ours.body.length, 0);
  assert.match(ours.headers.vary, /Accept-Encoding/i);
  for (const name of ['socket.io.slim.js', 'socket.io.js.br', 'VERSION', '../page.go', 'socket.io.js/', 'dist/socket.io.js', '%2e%2e/NOTICE.md']) {
    const { status, headers, body } = await get(w.url, `/socket.io/${name}`);
    assert.equal(status, 404, name);
    assert.match(headers['content-type'], /^application\/json/);
    assert.ok(JSON.parse(body), name);
  }
});

test('CORS headers as Node sets them', async () => {
  for (const origin of ['https://app.example', 'https://other.example']) {
    const [theirs, ours] = await both('/socket.io/socket.io.esm.min.js', { Origin: origin });
    const allowed = ({ headers }) => origin === headers['access-control-allow-origin'];
    assert.equal(allowed(ours), origin === 'https://app.example', `${origin}: ${ours.headers['access-control-allow-origin']}`);
    // Node names the one origin it allows to everybody; to the browser that is the same.
    assert.equal(allowed(theirs), allowed(ours), origin);
  }
});
