// What the line under one's own message says, and when it says nothing. Contract 7.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../e2e/harness/wait.mjs';
import { ends, lookAway, openDemo, openPage, postAs, Side, useWorld } from './world.mjs';

// Without grace, a tab beside another is sent nothing again. A tab that was closed on long polling says nothing: the
// server is to notice it soon.
const w = useWorld({ REPLAY_GRACE: '0', PING_INTERVAL: '4s', PING_TIMEOUT: '10s' });
const sockets = /\/socket\.io\/\?/;

const quiet = (demo) => ends(w, demo);
const post = (name, text) => postAs(w, name, text);

test('a reload forgets nothing that was known, and another tab claims nothing that it does not know', async () => {
  const demo = await openDemo(w);
  const { page, alice, bob } = demo;
  await Promise.all([alice.upgraded(), bob.upgraded()]);
  await alice.say('read');
  await bob.box.focus();
  await alice.until(alice.lines, (all) => all.at(-1) === 'Read', 'read');
  await lookAway(page);
  await alice.say('delivered');
  await alice.until(alice.lines, (all) => all.at(-1) === 'Delivered', 'delivered');
  await bob.button('Go offline').evaluate((button) => button.click());
  await alice.until(alice.peer, (text) => text.startsWith('Bob is offline'), 'Bob offline');
  await alice.say('sent');
  await alice.until(alice.lines, (all) => all.at(-1) === 'Sent', 'sent');

  // Nothing comes over a socket until the lines have been looked at: Bob's return delivers the third.
  let open;
  const opened = new Promise((resolve) => { open = resolve; });
  const hold = async (route) => {
    await opened;
    await route.continue();
  };
  await page.route(sockets, hold);
  await page.reload();
  await alice.shows('sent');
  assert.deepEqual(await alice.lines(), ['Read', 'Delivered', 'Sent']);
  assert.deepEqual(await alice.root.locator('.msg .state svg').count(), 3);

  // Another tab has heard nothing of them.
  const other = await openPage(w.browser);
  await other.page.route(sockets, hold);
  await other.page.goto(w.url);
  const there = new Side(other.page, 'Alice');
  await there.shows('sent');
  assert.deepEqual(await there.lines(), ['', '', '']);
  assert.deepEqual(await there.states(), [undefined, undefined, undefined]);

  open();
  await Promise.all([alice.upgraded(), bob.upgraded(), there.upgraded()]);
  // Reading one is reading all before it: the other tab learns that from the first receipt it hears.
  await bob.box.focus();
  for (const side of [alice, there]) await side.until(side.lines, (all) => all.length === 3 && all.every((line) => line === 'Read'), 'all read');
  await page.reload();
  await alice.shows('sent');
  assert.deepEqual(await alice.lines(), ['Read', 'Read', 'Read']);
  await Promise.all([alice.upgraded(), bob.upgraded()]);
  await quiet(other);
  await quiet(demo);
});

test('a message sent elsewhere, while the page waits for an answer of its own, is delivered all the same', async () => {
  const demo = await openDemo(w);
  const { page, seen, alice, bob } = demo;
  await Promise.all([alice.upgraded(), bob.upgraded()]);
  let answer;
  const asked = new Promise((resolve) => { answer = resolve; });
  await page.route('**/api/messages', async (route) => {
    await asked;
    await route.continue();
  }, { times: 1 });
  await alice.say('from the page');
  await alice.until(alice.lines, (all) => all.at(-1) === 'Sending…', 'under way');
  const { _id } = await post('Alice', 'from curl');
  await bob.shows('from curl');
  // The server says so to Alice's socket alone, once.
  await alice.until(() => seen.frames, (all) => all.some((frame) => frame.includes('"message_delivered"') && frame.includes(_id)), 'told that it was delivered');
  assert.equal((await alice.texts()).includes('from curl'), false, 'it might be the page\'s own');

  answer();
  await alice.shows('from curl');
  await alice.until(alice.lines, (all) => all.slice(-2).every((line) => line === 'Delivered'), 'both delivered');
  await quiet(demo);
});

test('while the server refuses, the lines say that and not that there is no connection', async () => {
  const demo = await openDemo(w);
  const { page, seen, alice, bob } = demo;
  await alice.upgraded();
  const before = await bob.texts();
  const refuse = (status, code) => (route) => route.fulfill({ status, json: { error: { code, message: 'not now' } } });
  let answer = refuse(503, 'unavailable');
  await page.route('**/api/messages', (route) => answer(route));
  const both = (line) => alice.until(alice.lines, (all) => all.slice(-2).every((one) => one === line), line);
  await alice.say('first');
  await alice.say('second');
  await both('The server is busy, trying again…');
  assert.equal(await alice.link(), 'Connected · WebSocket');
  answer = refuse(429, 'rate_limited');
  await both('The server asks to slow down, trying again…');
  answer = refuse(500, 'internal');
  await both('The server has a problem, trying again…');
  answer = (route) => route.abort('connectionreset');
  await both('The server does not answer, trying again…');
  assert.equal(await alice.link(), 'Connected · WebSocket');

  // Without a connection that is what they wait for; with one again, they are under way at once.
  await alice.button('Go offline').click();
  await both('Waiting for a connection');
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  answer = async (route) => {
    await released;
    await route.continue();
  };
  await alice.button('Go online').click();
  await both('Sending…');
  release();
  await both('Delivered');
  assert.deepEqual(await bob.texts(), [...before, 'first', 'second']);
  // What Chromium itself writes down of the refusals; the page adds nothing.
  assert.deepEqual(seen.problems.filter((text) => !text.startsWith('Failed to load resource: ')), []);
  seen.problems.splice(0);
  await quiet(demo);
});

test('what the page remembers is bounded, goes forward only, and may be spoilt', async () => {
  const demo = await openDemo(w);
  const { page, alice } = demo;
  const remembered = await page.evaluate(async () => {
    const { Receipts } = await import('/page/receipts.js');
    const receipts = new Receipts('test');
    for (let i = 0; i < 600; i++) receipts.note(`m${i}`, 'sent');
    receipts.note('m599', 'read');
    receipts.note('m599', 'delivered');
    await Promise.resolve();
    const again = new Receipts('test');
    return [JSON.parse(sessionStorage.getItem('test')).length, again.get('m0'), again.get('m100'), again.get('m599')];
  });
  assert.deepEqual(remembered, [500, '', 'sent', 'read']);

  await alice.say('still here');
  await alice.until(alice.lines, (all) => all.at(-1) === 'Delivered' || all.at(-1) === 'Read', 'delivered');
  const { userId } = (await (await fetch(`${w.url}/demo.json`)).json()).users.find((user) => user.name === 'Alice');
  for (const spoilt of ['{', 'null', '7', '[7,null]', '[["a","eaten"]]']) {
    assert.deepEqual(await page.evaluate(async ([name, text]) => {
      sessionStorage.setItem(name, text);
      const { Receipts } = await import('/page/receipts.js');
      return new Receipts(name).get('a');
    }, [`parley:${userId}`, spoilt]), '', spoilt);
  }
  await alice.upgraded();
  await page.reload();
  await alice.shows('still here');
  assert.equal((await alice.lines()).at(-1), '');
  await alice.upgraded();
  await quiet(demo);
});

test('what was missed stands where it belongs, though newer messages were there first', async () => {
  await quiet(await openDemo(w));
  const { users } = await (await fetch(`${w.url}/demo.json`)).json();
  const [alice, bob] = ['Alice', 'Bob'].map((name) => users.find((user) => user.name === name));
  const online = async () => (await (await fetch(`${w.url}/api/users/${bob.userId}/online`, { headers: { Authorization: `Bearer ${alice.token}` } })).json()).isOnline;
  await waitFor(async () => await online() === false, 30_000, 'Bob to be offline');
  const missed = Array.from({ length: 40 }, (_, i) => `missed ${i}`); // the first page of history has 30
  let last;
  for (const text of missed) last = await post('Alice', text);

  const opened = await openPage(w.browser);
  let open;
  const loaded = new Promise((resolve) => { open = resolve; });
  await opened.page.route(sockets, async (route) => {
    await loaded;
    await route.continue();
  });
  await opened.page.goto(w.url);
  const side = new Side(opened.page, 'Bob');
  await side.shows(missed.at(-1));
  open();
  const shown = async () => (await side.texts()).filter((text) => text.startsWith('missed'));
  await side.until(shown, (all) => all.length === missed.length, 'all of them');
  assert.deepEqual(await shown(), missed);

  // What Bob has read is the last of them, not the one that came last.
  await side.upgraded();
  await side.box.focus();
  const said = () => opened.seen.frames.filter((frame) => frame.includes('"message_read"'));
  await side.until(said, (all) => all.length > 0, 'read');
  assert.ok(said().every((frame) => frame.includes(last._id)), `${said()}`);
  await quiet(opened);
});
