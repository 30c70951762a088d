// The server dies and comes back: the page says so, waits, and loses nothing. Contract 7.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quietPort } from '../e2e/harness/ports.mjs';
import { openDemo, strangers, useWorld } from './world.mjs';

// No JWT_SECRET: the new process does not know the old one's tokens. It takes the old one's port, seconds later.
const w = useWorld(async () => ({ PORT: await quietPort() }));

// The server stores what is posted next; the page never hears of it.
async function loseAnswer(page, until) {
  await page.route('**/api/messages', async (route) => {
    await route.fetch().catch(() => {});
    await until;
    await route.abort('connectionreset');
  }, { times: 1 });
}

async function restart(end, { told, answered = true }) {
  const { context, seen, alice, bob } = await openDemo(w);
  const name = told ? 'asked to stop' : answered ? 'killed' : 'killed half way';
  const before = await bob.texts();
  let dead;
  if (!answered) await loseAnswer(alice.page, new Promise((resolve) => { dead = resolve; }));
  await alice.say(`before it is ${name}`);
  await bob.shows(`before it is ${name}`);
  assert.deepEqual(seen.problems, []);

  await end();
  dead?.();
  for (const side of [alice, bob]) {
    await side.until(side.link, (text) => text.startsWith('Reconnecting'), 'reconnecting');
    assert.equal(await side.peer(), `${side === alice ? 'Bob' : 'Alice'} is out of sight without a connection`);
    assert.equal(await side.root.getAttribute('data-link'), 'reconnecting');
  }
  await alice.say(`${name}: one`);
  await alice.say(`${name}: two`);
  await alice.until(alice.lines, (all) => all.slice(-2).every((line) => line === 'Waiting for a connection'), 'waiting');
  await alice.until(alice.link, (text) => /attempt \d/.test(text), 'attempts are counted');

  await w.start();
  await Promise.all([alice.upgraded(), bob.upgraded()]);
  await bob.shows(`${name}: two`);
  await alice.until(alice.states, (all) => all.slice(-2).every((state) => state === 'delivered' || state === 'read'), 'delivered');
  await bob.say(`after it was ${name}`);
  await alice.shows(`after it was ${name}`);
  for (const side of [alice, bob]) {
    assert.deepEqual(await side.texts(), [...before, `before it is ${name}`, `${name}: one`, `${name}: two`, `after it was ${name}`]);
    // A process that was killed cannot say what its sockets had seen; the page leaves out what it shows already.
    if (told) assert.equal(await side.repeated(), 0, `${side.name} got a message twice`);
  }

  assert.deepEqual(strangers(seen, w.url), []);
  // Chromium itself writes down each request that found nobody or an old token; the page adds nothing.
  const own = seen.problems.filter((text) => !/^Failed to load resource|^WebSocket connection to .* failed/.test(text));
  assert.deepEqual(own, []);
  await context.close();
}

test('the server is killed and started again: reconnecting is shown, messages wait, each is shown once', () => restart(() => w.parley.program.kill(), { told: false }));
test('the server is killed before it has answered: what was sent is shown once', () => restart(() => w.parley.program.kill(), { told: false, answered: false }));
test('the server is asked to stop and started again: the same, and nothing is sent twice', () => restart(() => w.parley.program.stop(), { told: true }));
