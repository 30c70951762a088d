// The page and the bundles where SOCKETIO_PATH puts them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaints } from './exchange.mjs';
import { openDemo, useWorld } from './world.mjs';

const w = useWorld({ SOCKETIO_PATH: '/chat/ws/' });

test('the page works, and asks for nothing below /socket.io', async () => {
  const { context, page, alice, bob, seen } = await openDemo(w);
  await alice.say('over there');
  await bob.shows('over there');
  const paths = seen.urls.map((url) => new URL(url).pathname);
  assert.ok(paths.includes('/chat/ws/socket.io.js') && paths.includes('/chat/ws/'), paths.join());
  assert.deepEqual(paths.filter((path) => path.startsWith('/socket.io')), []);
  // The map is looked for beside the bundle.
  const map = await page.evaluate(async () => {
    const { src } = document.getElementById('client');
    const name = (await (await fetch(src)).text()).match(/sourceMappingURL=(\S+)/)[1];
    return (await fetch(new URL(name, src))).status;
  });
  assert.equal(map, 200);
  assert.deepEqual(complaints(seen), []);
  await context.close();
});
