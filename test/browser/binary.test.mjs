// Client 2.5.0 over polling alone in a real Chromium: binary together with text beyond ASCII, both ways, in the binary payload
// of Engine.IO 3. What the server emits by itself has nothing binary in it: that comes from another process over Redis.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { token } from '../e2e/harness/token.mjs';
import { useWorld } from '../e2e/harness/world.mjs';
import { Emitter } from '../peer/index.mjs';
import { complaints } from './exchange.mjs';
import { openBrowser, openPage } from './world.mjs';

const require = createRequire(import.meta.url);

const w = useWorld({ pods: 1, env: { ALLOW_EIO3: 'true' } });
let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

test('text and attachments come whole, to the server and from it', { timeout: 60_000 }, async () => {
  const [pod] = w.pods;
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const witness = await w.connect(pod, alice);
  const { context, page, seen } = await openPage(browser);
  await page.goto(`${pod.url}/healthz`);
  await page.addScriptTag({ path: require.resolve('sioc25/dist/socket.io.js') });

  const types = { sent: new Set(), got: new Set() };
  page.on('request', (r) => { if (r.method() === 'POST') types.sent.add(r.headers()['content-type']); });
  page.on('response', (r) => { if (r.url().includes('sid=') && r.request().method() === 'GET') types.got.add(r.headers()['content-type']); });

  const ack = await page.evaluate(({ bobs, chatId }) => new Promise((resolve, reject) => {
    const socket = globalThis.io({ transports: ['polling'], query: { token: bobs }, forceNew: true, reconnection: false });
    globalThis.events = [];
    for (const name of ['flush', 'text', 'binary', 'more']) {
      socket.on(name, (...args) => globalThis.events.push([name, ...args.map((a) => (a instanceof ArrayBuffer ? [...new Uint8Array(a)] : a))]));
    }
    socket.on('error', (e) => reject(new Error(JSON.stringify(e))));
    socket.on('connect', () => socket.emit('typing', { chatId, isTyping: true, text: 'é żółw 🐢', x: new Uint8Array([0, 4, 255, 195]).buffer }, resolve));
  }), { bobs: token(bob), chatId });
  assert.deepEqual(ack, { ok: true });
  assert.ok(types.sent.has('application/octet-stream'), [...types.sent].join());
  assert.deepEqual((await witness.saw('typing')), { chatId, userId: bob, isTyping: true });

  // While its poll is held up, what comes for it is kept, and then comes together.
  let held;
  const free = new Promise((resolve) => { held = resolve; });
  const asked = new Promise((resolve) => {
    page.route(/sid=/, async (route) => {
      if (route.request().method() === 'GET') { resolve(); await free; }
      await route.continue();
    });
  });
  const emitter = new Emitter(w.redis);
  emitter.emit('flush'); // answers the poll that waits already
  await asked;
  const bytes = [0, 4, 255, 195, 188];
  emitter.emit('text', 'żółw 🐢');
  emitter.emit('binary', 'ü 三', Buffer.from(bytes));
  emitter.emit('more', 'é');
  emitter.to(witness.id).emit('last', 1);
  await witness.saw('last');
  held();
  await page.waitForFunction(() => globalThis.events.length >= 4, null, { timeout: 8_000 });
  assert.deepEqual(await page.evaluate(() => globalThis.events), [['flush'], ['text', 'żółw 🐢'], ['binary', 'ü 三', bytes], ['more', 'é']]);
  assert.ok(types.got.has('application/octet-stream'), [...types.got].join());
  assert.deepEqual(complaints(seen), []);
  await context.close();
});
