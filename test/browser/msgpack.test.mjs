// SOCKETIO_PARSER=msgpack: the bundle made for it, and the page, which then loads that one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDemo, strangers, useWorld } from './world.mjs';

const w = useWorld({ SOCKETIO_PARSER: 'msgpack' });

test('the page talks MessagePack, over WebSocket and polling', async () => {
  const { context, page, alice, bob, seen } = await openDemo(w);
  assert.deepEqual(seen.urls.filter((url) => /socket\.io\/socket/.test(url)), [`${w.url}/socket.io/socket.io.msgpack.min.js`]);
  await alice.say('hello żółw 🐢');
  await bob.shows('hello żółw 🐢');
  await bob.say('and back');
  await alice.shows('and back');
  await alice.until(alice.lines, ([line]) => /Delivered|Read/.test(line), 'the delivery line');

  const { users } = await (await fetch(`${w.url}/demo.json`)).json();
  for (const transports of [['websocket'], ['polling']]) {
    const got = await page.evaluate(({ url, token, transports }) => new Promise((resolve, reject) => {
      const socket = globalThis.io(url, { transports, auth: { token }, forceNew: true, reconnection: false });
      const frames = [];
      socket.on('connect_error', reject);
      socket.on('connect', () => {
        socket.io.engine.on('packet', ({ data }) => frames.push(typeof data));
        socket.emit('typing', { chatId: 'f'.repeat(24), isTyping: true }, (ack) => resolve({ code: ack.error.code, frames, name: socket.io.engine.transport.name }));
      });
    }), { url: w.url, token: users[0].token, transports });
    assert.deepEqual([got.code, got.name, got.frames.includes('object')], ['not_a_participant', transports[0], true], JSON.stringify(got));
  }
  assert.deepEqual(strangers(seen, w.url), []);
  assert.deepEqual([seen.problems, seen.refused], [[], []]);
  await context.close();
});
