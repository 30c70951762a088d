// A page of another origin, with the headers its libraries add, the slashes it writes, and subprotocols. Contract 4.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, complaints } from './exchange.mjs';
import { openPage, otherOrigin, useWorld } from './world.mjs';

const w = useWorld(async (world) => {
  const friend = await otherOrigin(() => `<!doctype html><title>friend</title><script src="${world.url}/socket.io/socket.io.js"></script>`);
  world.close = () => friend.close();
  world.friend = friend.origin;
  return { CORS_ORIGIN: friend.origin };
}, async (world) => { world.demo = await (await fetch(`${world.url}/demo.json`)).json(); });

// In the page: an answer as far as the page may read it.
const read = (page, path, { headers = {}, ...options } = {}) => page.evaluate(async ({ url, options: o }) => {
  try {
    const res = await fetch(url, o);
    const text = await res.text();
    return { status: res.status, redirected: res.redirected, id: res.headers.get('x-request-id'), retry: res.headers.get('retry-after'), allow: res.headers.get('allow'), code: text && JSON.parse(text).error?.code };
  } catch (err) { return { refused: String(err) }; }
}, { url: w.url + path, options: { ...options, headers: { Authorization: `Bearer ${w.demo.users[0].token}`, ...headers } } });

test('headers of tracing, jQuery and caches pass, and slashes, 404 and 405 can be read', async () => {
  const { context, page } = await openPage(w.browser);
  await page.goto(w.friend);
  const headers = { baggage: 'a=b', 'sentry-trace': '1-2-1', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'X-Requested-With': 'XMLHttpRequest', 'Cache-Control': 'no-cache' };
  for (const [path, options, status, code] of [
    ['/api/chats', {}, 200], ['/api/chats/', {}, 200], ['/api/messages/', { method: 'POST', body: 'x' }, 415],
    ['/api/nothing', {}, 404, 'not_found'], ['//api/chats', {}, 404, 'not_found'], ['/api/messages', { method: 'PUT' }, 405, 'method_not_allowed'], ['/api/messages', { method: 'PATCH' }, 405, 'method_not_allowed'],
  ]) {
    const got = await read(page, path, { ...options, headers });
    assert.equal(got.status, status, `${path} ${JSON.stringify(got)}`);
    assert.equal(got.redirected, false);
    assert.match(got.id ?? '', /^[0-9a-f]{32}$/, `${path}: the request id can be read`);
    if (code) assert.equal(got.code, code);
    if (status === 405) assert.equal(got.allow, 'POST');
  }
  await context.close();
});

test('no other page reads the metrics or the page\'s tokens', async () => {
  const { context, page } = await openPage(w.browser);
  await page.goto(w.friend);
  for (const path of ['/metrics', '/demo.json', '/demo.json/']) assert.ok((await read(page, path)).refused, path);
  await context.close();
});

test('a client with subprotocols, and one without a trailing slash', async () => {
  const { context, page, seen } = await openPage(w.browser);
  await page.goto(w.friend);
  for (const options of [{ transports: ['websocket'], protocols: ['x'] }, { protocols: ['x', 'y'] }, { addTrailingSlash: false }, { transports: ['websocket'], addTrailingSlash: false }]) {
    await check(page, w, { ...options, withCredentials: true });
  }
  assert.deepEqual(complaints(seen), []);
  await context.close();
});
