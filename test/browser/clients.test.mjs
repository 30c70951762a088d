// The stock client's browser builds, as Parley serves them, in a real Chromium: every transport, from another origin. Contract 2, 3 and 8.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDemo, openPage, otherOrigin, strangers, useWorld } from './world.mjs';

let demo;
const w = useWorld(async (world) => {
  const friend = await otherOrigin(() => `<!doctype html><title>friend</title><script src="${world.url}/socket.io/socket.io.js"></script>`);
  const foe = await otherOrigin(() => `<!doctype html><title>foe</title><script src="${world.url}/socket.io/socket.io.js"></script>`);
  world.close = () => Promise.all([friend.close(), foe.close()]);
  Object.assign(world, { friend: friend.origin, foe: foe.origin });
  return { CORS_ORIGIN: friend.origin };
}, async (world) => { demo = await (await fetch(`${world.url}/demo.json`)).json(); });

const tokenOf = (name) => demo.users.find((user) => user.name === name).token;
const idOf = (name) => demo.users.find((user) => user.name === name).userId;

// In the page: Bob connects, Alice posts by fetch; what Bob got, and over what.
function exchange({ url, chatId, alice, bob, options, text, upgraded }) {
  const socket = globalThis.io(url, { ...options, auth: { token: bob }, forceNew: true, reconnection: false });
  const soon = (what, start) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what}`)), 15_000);
    start((value) => { clearTimeout(timer); resolve(value); }, reject);
  });
  // The socket is left open until the page closes: a goodbye by POST may overtake the next poll on its way, which then gets a 400, by Node as well.
  return (async () => {
    const upgrade = upgraded && soon('upgrade', (resolve) => socket.io.once('open', () => socket.io.engine.once('upgrade', resolve)));
    await soon('connect', (resolve, reject) => { socket.once('connect', resolve); socket.once('connect_error', (error) => reject(new Error(`${error.message} ${error.description ?? ''}`))); });
    await upgrade;
    const arrived = soon('new_message', (resolve) => socket.on('new_message', (...args) => args[0].content === text && resolve(args)));
    const form = new FormData();
    form.set('chatId', chatId);
    form.set('type', 'text');
    form.set('textMessage', text);
    const response = await fetch(`${url}/api/messages`, { method: 'POST', headers: { Authorization: `Bearer ${alice}` }, body: form, credentials: options.withCredentials ? 'include' : 'same-origin' });
    const args = await arrived;
    const ack = await socket.timeout(10_000).emitWithAck('mark_read', { chatId, messageId: args[0]._id });
    return { status: response.status, args, ack, transport: socket.io.engine.transport.name };
  })();
}

async function check(page, options, transport, upgraded = false) {
  const text = `${transport} ${JSON.stringify(options)} ${Math.random()}`;
  const got = await page.evaluate(exchange, { url: w.url, chatId: demo.chatId, alice: tokenOf('Alice'), bob: tokenOf('Bob'), options, text, upgraded });
  assert.equal(got.status, 201);
  assert.equal(got.transport, transport);
  assert.deepEqual(got.ack, { ok: true });
  const [message] = got.args;
  assert.deepEqual(Object.keys(message).sort(), ['_id', 'chatId', 'content', 'createdAt', 'senderId']);
  assert.deepEqual([message.chatId, message.senderId, message.content], [demo.chatId, idOf('Alice'), text]);
  assert.match(message.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
}

for (const withCredentials of [false, true]) {
  test(`another origin named by CORS_ORIGIN, ${withCredentials ? 'with' : 'without'} credentials: polling, WebSocket, and the upgrade`, async () => {
    const { context, page, seen } = await openPage(w.browser);
    await page.goto(w.friend);
    assert.equal(await page.evaluate(() => typeof globalThis.io), 'function');
    await check(page, { withCredentials, transports: ['websocket'] }, 'websocket');
    await check(page, { withCredentials, transports: ['polling'] }, 'polling');
    await check(page, { withCredentials }, 'websocket', true);
    assert.deepEqual(strangers(seen, w.url, w.friend), []);
    assert.deepEqual([seen.problems, seen.refused], [[], []]);
    await context.close();
  });
}

test('the same origin: polling, WebSocket, and the upgrade', async () => {
  const { context, page, seen } = await openDemo(w);
  await check(page, { transports: ['websocket'] }, 'websocket');
  await check(page, { transports: ['polling'] }, 'polling');
  await check(page, {}, 'websocket', true);
  assert.deepEqual(strangers(seen, w.url), []);
  assert.deepEqual([seen.problems, seen.refused], [[], []]);
  await context.close();
});

test('an origin that is not named gets nothing by polling or REST', async () => {
  const { context, page } = await openPage(w.browser);
  await page.goto(w.foe);
  await assert.rejects(check(page, { transports: ['polling'], withCredentials: true }, 'polling'), /xhr poll error/);
  assert.equal(await page.evaluate(({ url, token }) => fetch(`${url}/api/chats`, { headers: { Authorization: `Bearer ${token}` } }).then(() => 'read', () => 'refused'), { url: w.url, token: tokenOf('Bob') }), 'refused');
  await context.close();
});

test('a refused handshake says why in the browser, too', async () => {
  const { context, page } = await openPage(w.browser);
  await page.goto(w.friend);
  for (const transports of [['polling'], ['websocket']]) {
    const refused = await page.evaluate(({ url, transports }) => new Promise((resolve) => {
      const socket = globalThis.io(url, { transports, auth: { token: 'nonsense' }, forceNew: true, reconnection: false });
      socket.on('connect_error', ({ message, data }) => { socket.disconnect(); resolve({ message, code: data?.code }); });
    }), { url: w.url, transports });
    assert.deepEqual(refused, { message: 'Authentication error', code: 'token_malformed' });
  }
  await context.close();
});

test('.min.js and .esm.min.js talk; .msgpack.min.js loads; every map is the file\'s own', async () => {
  const { context, page, seen } = await openDemo(w);
  const file = (name) => `${w.url}/socket.io/${name}`;
  await page.evaluate(() => { delete globalThis.io; }); // the page has its own two sockets already

  await page.addScriptTag({ url: file('socket.io.min.js') });
  await check(page, {}, 'websocket', true);

  await page.evaluate(async (url) => { const { io } = await import(url); globalThis.io = io; }, file('socket.io.esm.min.js'));
  await check(page, {}, 'websocket', true);

  await page.evaluate(() => { delete globalThis.io; });
  await page.addScriptTag({ url: file('socket.io.msgpack.min.js') });
  assert.deepEqual(await page.evaluate(() => [typeof globalThis.io, typeof globalThis.io.Manager, typeof globalThis.io.Socket]), ['function', 'function', 'function']);

  for (const name of ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js']) {
    const [source, map] = await page.evaluate((urls) => Promise.all(urls.map((url) => fetch(url).then((response) => response.text()))), [file(name), file(`${name}.map`)]);
    assert.ok(source.trimEnd().endsWith(`//# sourceMappingURL=${name}.map`), name);
    assert.equal(JSON.parse(map).file, name);
  }
  assert.deepEqual(strangers(seen, w.url), []);
  assert.deepEqual([seen.problems, seen.refused], [[], []]);
  await context.close();
});

test('another origin imports the module build', async () => {
  const { context, page, seen } = await openPage(w.browser);
  await page.goto(w.friend);
  await page.evaluate(async (url) => { const { io } = await import(url); globalThis.io = io; }, `${w.url}/socket.io/socket.io.esm.min.js`);
  await check(page, { withCredentials: true }, 'websocket', true);
  assert.deepEqual([seen.problems, seen.refused], [[], []]);
  await context.close();
});
