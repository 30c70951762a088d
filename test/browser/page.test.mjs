// The page to try Parley with, used as a person uses it. Contract 2, 7 and 8.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sunset } from './picture.mjs';
import { lookAway, openDemo, size, strangers, useWorld } from './world.mjs';

// A page that is closed too early is missed soon.
const w = useWorld({ PING_INTERVAL: '4s', PING_TIMEOUT: '10s' });
const lit = { on: 'yes', lit: true };
const dark = { on: 'no', lit: false };

// quiet ends every test: nothing left the origin, nothing was complained about.
async function quiet({ context, seen }, sides) {
  assert.ok(seen.urls.length > 10, 'requests were seen');
  assert.deepEqual(strangers(seen, w.url), []);
  assert.deepEqual(seen.problems, []);
  for (const side of sides) assert.equal(await side.repeated(), 0, `${side.name} got a message twice`);
  await context.close();
}

test('Alice types: Bob sees it, and the delivery line goes from delivered to read', async () => {
  const demo = await openDemo(w);
  const { page, alice, bob } = demo;
  await alice.box.pressSequentially('Good mor');
  // That somebody types is volatile: while Bob's connection is being upgraded it is dropped, and told again as the typing goes on.
  const goOn = async () => {
    await alice.box.press('Backspace');
    await alice.box.press('r');
    return bob.peer();
  };
  await bob.until(goOn, (text) => text === 'Alice is typing…', 'Alice is typing');
  await alice.box.pressSequentially('ning, Bob ☕');
  await alice.box.press('Enter');
  await bob.shows('Good morning, Bob ☕');
  await bob.until(bob.peer, (text) => text === 'Alice is online', 'Alice has stopped typing');
  await alice.until(alice.lines, (all) => all.at(-1) === 'Delivered', 'delivered');
  assert.equal(await bob.root.locator('.unread').innerText(), '1 new');
  assert.equal(await alice.box.inputValue(), '');

  await bob.box.focus();
  await alice.until(alice.lines, (all) => all.at(-1) === 'Read', 'read');
  assert.equal(await bob.root.locator('.unread').isVisible(), false);
  await bob.say('<img src=x onerror=alert(1)>\n& good morning');
  await alice.shows('<img src=x onerror=alert(1)>\n& good morning');

  // A second look at the same chat: history is there, and nothing is repeated.
  const before = await bob.texts();
  await Promise.all([alice.upgraded(), bob.upgraded()]);
  await page.reload();
  await Promise.all([alice.upgraded(), bob.upgraded()]);
  await bob.until(bob.texts, (all) => all.length === before.length, 'history');
  assert.deepEqual(await bob.texts(), before);
  await quiet(demo, [alice, bob]);
});

test('a picture is sent with a text, shown on both sides, and opens large', async () => {
  const demo = await openDemo(w);
  const { page, alice, bob } = demo;
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), alice.button('Attach a picture').click()]);
  await chooser.setFiles({ name: 'sunset.png', mimeType: 'image/png', buffer: await sunset(w.browser) });
  await alice.root.getByRole('img', { name: 'sunset.png' }).waitFor();
  await alice.say('From my window');
  await bob.shows('From my window');
  for (const side of [alice, bob]) {
    const [picture] = await side.until(side.pictures, (all) => all.length === 1 && all[0].width === 640 && all[0].src.startsWith('http'), 'the picture of the server');
    assert.equal(new URL(picture.src).origin, w.url);
    assert.match(new URL(picture.src).pathname, /^\/files\//);
  }
  // The file first, then the text, as the contract has it.
  assert.deepEqual((await bob.messages.evaluateAll((all) => all.slice(-2).map((one) => (one.querySelector('img') ? 'picture' : 'text')))), ['picture', 'text']);
  await bob.button('Picture from Alice').click();
  assert.equal(await page.getByRole('dialog', { name: 'Picture' }).isVisible(), true);
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('dialog', { name: 'Picture' }).isVisible(), false);

  // What is no picture is refused in words, before anything is sent.
  await alice.root.locator('input[type=file]').setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') });
  await alice.root.getByRole('alert').filter({ hasText: 'notes.txt is not a picture' }).waitFor();
  await quiet(demo, [alice, bob]);
});

test('Bob goes offline, Alice sends three, Bob returns and gets each once, in order', async () => {
  const demo = await openDemo(w);
  const { page, alice, bob } = demo;
  await alice.say('still here?');
  await bob.shows('still here?');
  const before = await bob.texts();
  await bob.upgraded();
  assert.deepEqual([await alice.dot(), await bob.dot()], [lit, lit]);
  await bob.button('Go offline').click();
  await lookAway(page);
  await alice.until(alice.peer, (text) => text.startsWith('Bob is offline'), 'Bob offline', 30_000);
  assert.equal(await bob.link(), 'Offline');
  // Who is offline sees nobody.
  assert.deepEqual([await alice.dot(), await bob.dot()], [dark, dark]);

  const three = ['one', 'two', 'three'].map((n) => `while you were away: ${n}`);
  for (const text of three) await alice.say(text);
  await alice.until(alice.lines, (all) => all.slice(-3).every((line) => line === 'Sent'), 'three sent');
  assert.deepEqual(await bob.texts(), before, 'Bob has nothing yet');

  // What Bob writes meanwhile waits for him.
  await bob.say('written in a tunnel');
  await bob.until(bob.lines, (all) => all.at(-1) === 'Waiting for a connection', 'waiting');
  await bob.button('Go online').click();
  await bob.upgraded();
  await alice.shows('written in a tunnel');
  await bob.until(bob.texts, (all) => all.includes(three[2]), 'the third');
  assert.deepEqual((await bob.texts()).slice(before.length).filter((text) => text !== 'written in a tunnel'), three);
  assert.equal(await bob.root.locator('.divider.away').innerText(), '3 sent while Bob was away');
  await alice.until(alice.lines, (all) => all.slice(-3).every((line) => line === 'Delivered' || line === 'Read'), 'delivered on return');
  await alice.until(alice.peer, (text) => text === 'Bob is online', 'Bob is back');
  await bob.until(bob.peer, (text) => text === 'Alice is online', 'Alice in sight');
  assert.deepEqual([await alice.dot(), await bob.dot()], [lit, lit]);
  await quiet(demo, [alice, bob]);
});

test('everything works by keyboard alone, and the focus can be seen', async () => {
  const demo = await openDemo(w);
  const { page, alice, bob } = demo;
  const press = (key) => page.keyboard.press(key);
  // Tabs until the element is focused, looking at every stop on the way.
  const tabTo = async (target, key = 'Tab') => {
    for (let stops = 0; stops < 60; stops++) {
      await press(key);
      const at = await page.evaluate(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        const label = document.activeElement.getAttribute('aria-label') || document.activeElement.innerText || document.activeElement.querySelector('img')?.alt;
        return { seen: outlineStyle !== 'none' && outlineWidth !== '0px', label, body: document.activeElement === document.body };
      });
      assert.ok(at.body || at.seen, `the focus on "${at.label}" cannot be seen`);
      assert.ok(at.body || at.label, 'every stop has a name');
      if (await target.evaluate((element) => element === document.activeElement)) return;
    }
    assert.fail('not reached by Tab');
  };
  await tabTo(alice.box);
  await page.keyboard.type('no mouse here');
  await press('Shift+Enter');
  await page.keyboard.type('second line');
  await press('Enter');
  await bob.shows('no mouse here\nsecond line');

  await tabTo(alice.button('Attach a picture'), 'Shift+Tab');
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), press('Enter')]);
  await chooser.setFiles({ name: 'keys.png', mimeType: 'image/png', buffer: await sunset(w.browser) });
  await alice.root.getByRole('img', { name: 'keys.png' }).waitFor();
  assert.equal(await alice.box.evaluate((element) => element === document.activeElement), true, 'back to the text after attaching');
  const pictures = (await bob.pictures()).length;
  await press('Enter');
  await bob.until(bob.pictures, (all) => all.length === pictures + 1, 'the picture');

  await tabTo(bob.button('Go offline'));
  await alice.until(alice.lines, (all) => all.at(-1) === 'Read', 'focus reads');
  await bob.upgraded();
  await press('Space');
  await bob.until(bob.link, (text) => text === 'Offline', 'offline');
  await press('Space');
  await bob.upgraded();

  await tabTo(bob.button('Picture from Alice').last());
  await press('Enter');
  const viewer = page.getByRole('dialog', { name: 'Picture' });
  assert.equal(await viewer.isVisible(), true);
  await press('Escape');
  assert.equal(await viewer.isVisible(), false);
  await tabTo(bob.box);
  await page.keyboard.type('nor here');
  await press('Enter');
  await alice.shows('nor here');
  await quiet(demo, [alice, bob]);
});

test('names, roles and landmarks are there for who cannot see', async () => {
  const demo = await openDemo(w);
  const { page, alice, bob } = demo;
  assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'Parley');
  assert.equal(await page.locator('html').getAttribute('lang'), 'en');
  for (const [side, other] of [[alice, 'Bob'], [bob, 'Alice']]) {
    await side.root.getByRole('log', { name: `Messages as ${side.name} sees them` }).waitFor();
    await side.root.getByRole('textbox', { name: `Message from ${side.name} to ${other}` }).waitFor();
    await side.root.getByRole('button', { name: `Send as ${side.name}` }).waitFor();
    assert.ok(await side.root.getByRole('status').count() >= 2);
  }
  assert.deepEqual(await page.locator('button').evaluateAll((all) => all.filter((one) => !(one.ariaLabel || one.textContent.trim() || one.querySelector('img[alt]'))).length), 0);
  await quiet(demo, [alice, bob]);
});

test('from 320 to 1600 pixels wide, in light and dark, nothing is cut off', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const demo = await openDemo(w, { colorScheme });
    const { page, alice, bob } = demo;
    for (const width of [320, 380, 760, 761, 1024, 1280, 1600]) {
      await page.setViewportSize({ width, height: 760 });
      const { scroll, boxes } = await page.evaluate(() => ({
        scroll: document.documentElement.scrollWidth,
        boxes: Array.from(document.querySelectorAll('.pane'), (pane) => pane.getBoundingClientRect().toJSON()),
      }));
      assert.ok(scroll <= width, `${width} px: the page is ${scroll} px wide`);
      const [first, second] = boxes;
      if (width <= 760) assert.ok(second.top >= first.bottom, `${width} px: stacked`);
      else assert.ok(second.left >= first.right && second.top === first.top && second.bottom <= 760, `${width} px: side by side`);
    }
    assert.equal(await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches), colorScheme === 'dark');
    const [r, g, b] = (await page.evaluate(() => getComputedStyle(document.querySelector('.pane')).backgroundColor)).match(/\d+/g).map(Number);
    assert.equal((r + g + b) / 3 < 128, colorScheme === 'dark');
    await quiet(demo, [alice, bob]);
  }
});

test('the page may load from its own origin alone', async () => {
  const demo = await openDemo(w);
  const { page, alice, bob } = demo;
  const policy = (await fetch(w.url)).headers.get('content-security-policy');
  for (const rule of ["default-src 'self'", "img-src 'self' data: blob:", "connect-src 'self' ws: wss:"]) assert.ok(policy.split('; ').includes(rule), policy);
  const blocked = await page.evaluate(() => new Promise((resolve) => {
    document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective), { once: true });
    const script = document.createElement('script');
    script.textContent = 'globalThis.broken = true';
    document.head.append(script);
  }));
  assert.match(blocked, /^script-src/);
  assert.equal(await page.evaluate(() => globalThis.broken), undefined);
  demo.seen.problems.splice(0); // the violation itself
  await quiet(demo, [alice, bob]);
});

// The picture of the page in docs/: made anew with SCREENSHOT=1, and never by an ordinary run.
test('docs/demo.png', { skip: !process.env.SCREENSHOT }, async () => {
  const demo = await openDemo(w);
  const { page, alice, bob } = demo;
  // What other tests wrote is no part of the picture.
  await page.evaluate(() => document.querySelectorAll('.msg').forEach((one) => one.remove()));
  await alice.say('Morning! Are we still on for the market?');
  await bob.shows('Morning! Are we still on for the market?');
  await bob.say('Yes. Nine at the fountain?');
  await alice.shows('Yes. Nine at the fountain?');
  await bob.upgraded();
  await bob.button('Go offline').evaluate((button) => button.click());
  await alice.until(alice.peer, (text) => text.startsWith('Bob is offline'), 'Bob offline', 30_000);
  await alice.box.focus();
  await alice.root.locator('input[type=file]').setInputFiles({ name: 'sunset.png', mimeType: 'image/png', buffer: await sunset(w.browser) });
  await alice.say('Perfect. Look at that sky');
  await alice.until(alice.lines, (all) => all.at(-1) === 'Sent', 'sent');
  await bob.button('Go online').evaluate((button) => button.click());
  await bob.upgraded();
  await bob.shows('Perfect. Look at that sky');
  await alice.until(alice.lines, (all) => all.at(-1) === 'Delivered', 'delivered');
  await alice.until(alice.peer, (text) => text === 'Bob is online', 'online');
  await alice.box.pressSequentially('I will bring');
  await bob.until(bob.peer, (text) => text === 'Alice is typing…', 'typing');
  await bob.until(bob.pictures, (all) => all.at(-1)?.width === 640, 'the picture');
  assert.deepEqual(page.viewportSize(), size);
  await page.screenshot({ path: fileURLToPath(new URL('../../docs/demo.png', import.meta.url)) });
  await demo.context.close();
});
