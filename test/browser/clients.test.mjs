// The stock client's browser builds, as Parley serves them, in a real Chromium, and what an origin that is not named gets.
// Contract 2, 3 and 8; versions.test.mjs has the clients themselves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, complaints } from './exchange.mjs';
import { openDemo, openPage, otherOrigin, strangers, useWorld } from './world.mjs';

const w = useWorld(async (world) => {
  const friend = await otherOrigin(() => `<!doctype html><title>friend</title><script src="${world.url}/socket.io/socket.io.js"></script>`);
  const foe = await otherOrigin(() => `<!doctype html><title>foe</title><script src="${world.url}/socket.io/socket.io.js"></script>`);
  world.close = () => Promise.all([friend.close(), foe.close()]);
  Object.assign(world, { friend: friend.origin, foe: foe.origin });
  return { CORS_ORIGIN: friend.origin };
}, async (world) => { world.demo = await (await fetch(`${world.url}/demo.json`)).json(); });

test('an origin that is not named gets nothing by polling or REST', async () => {
  const { context, page } = await openPage(w.browser);
  await page.goto(w.foe);
  await assert.rejects(check(page, w, { transports: ['polling'], withCredentials: true }), /xhr poll error/);
  assert.equal(await page.evaluate(({ url, token }) => fetch(`${url}/api/chats`, { headers: { Authorization: `Bearer ${token}` } }).then(() => 'read', () => 'refused'), { url: w.url, token: w.demo.users[0].token }), 'refused');
  await context.close();
});

test('.min.js and .esm.min.js talk; .msgpack.min.js loads; every map is the file\'s own', async () => {
  const { context, page, seen } = await openDemo(w);
  const file = (name) => `${w.url}/socket.io/${name}`;
  await page.evaluate(() => { delete globalThis.io; }); // the page has its own two sockets already

  await page.addScriptTag({ url: file('socket.io.min.js') });
  await check(page, w, {});

  await page.evaluate(async (url) => { const { io } = await import(url); globalThis.io = io; }, file('socket.io.esm.min.js'));
  await check(page, w, {});

  await page.evaluate(() => { delete globalThis.io; });
  await page.addScriptTag({ url: file('socket.io.msgpack.min.js') });
  assert.deepEqual(await page.evaluate(() => [typeof globalThis.io, typeof globalThis.io.Manager, typeof globalThis.io.Socket]), ['function', 'function', 'function']);

  for (const name of ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js']) {
    const [source, map] = await page.evaluate((urls) => Promise.all(urls.map((url) => fetch(url).then((response) => response.text()))), [file(name), file(`${name}.map`)]);
    assert.ok(source.trimEnd().endsWith(`//# sourceMappingURL=${name}.map`), name);
    assert.equal(JSON.parse(map).file, name);
  }
  assert.deepEqual(strangers(seen, w.url), []);
  assert.deepEqual(complaints(seen), []);
  await context.close();
});

test('another origin runs the script and imports the module build', async () => {
  const { context, page, seen } = await openPage(w.browser);
  await page.goto(w.friend);
  await check(page, w, { withCredentials: true });
  await page.evaluate(async (url) => { const { io } = await import(url); globalThis.io = io; }, `${w.url}/socket.io/socket.io.esm.min.js`);
  await check(page, w, { withCredentials: true });
  assert.deepEqual(complaints(seen), []);
  await context.close();
});
