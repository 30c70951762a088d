// Lines under messages of earlier pages of history. By itself: a tab that opens beside another is sent what came since
// one of the same browser was closed, and would know what it is not to know here. Contract 7.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ends, openDemo, postAs, useWorld } from './world.mjs';

const w = useWorld({ REPLAY_GRACE: '0' });

test('what was read is read in earlier pages of history, too', async () => {
  const demo = await openDemo(w); // with both online, nothing is sent again to the other tab
  for (let i = 0; i < 35; i++) await postAs(w, 'Alice', `number ${i}`);
  await demo.bob.shows('number 34');
  const other = await openDemo(w);
  const { alice, bob } = other;
  await alice.shows('number 34');
  assert.deepEqual(await alice.lines(), Array(30).fill(''));
  await bob.box.focus();
  await alice.until(alice.lines, (all) => all.every((line) => line === 'Read'), 'all read');
  await alice.button('Show earlier messages').click();
  await alice.shows('number 0');
  assert.deepEqual((await alice.lines()).slice(0, 35), Array(35).fill('Read'));
  await ends(w, other);
  await ends(w, demo);
});
