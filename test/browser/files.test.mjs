// Kept files opened in a tab of their own: what is shown plays, and nothing runs. Contract 4.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync } from 'node:fs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { otherOrigin, openPage, strangers, useWorld } from './world.mjs';

const w = useWorld();
const sample = (name) => readFileSync(new URL(`../../adapters/media/testdata/${name}`, import.meta.url));

// Posts one file as Alice and returns its URL.
async function keep(name, type, data) {
  const { chatId, users } = await (await fetch(`${w.url}/demo.json`)).json();
  const form = new FormData();
  form.set('chatId', chatId);
  form.append('files', new Blob([data], { type }), name);
  const response = await fetch(`${w.url}/api/messages`, { method: 'POST', body: form, headers: { Authorization: `Bearer ${users[0].token}` } });
  const body = await response.json();
  assert.equal(response.status, 201, JSON.stringify(body));
  return { kind: body.messages[0].type, url: new URL(body.messages[0].fileUrl, w.url).href };
}

// What became of the only video or audio of the page. The page is asked again and again: its policy lets no script run,
// so that no listener of a test would be called there either.
const media = () => {
  const it = document.querySelector('video, audio');
  return { error: it.error?.message ?? null, state: it.readyState, seconds: it.duration, at: it.currentTime, seeking: it.seeking, parts: it.seekable.length };
};

// What the policy refused. A tab asks for /favicon.ico too, and complains that there is none.
const refusals = ({ problems }) => problems.filter((line) => !/status of 404/.test(line));

async function until(page, look, check, what) {
  let last;
  await waitFor(async () => check(last = await page.evaluate(look)), 15_000, () => `${what}; last seen ${JSON.stringify(last)}`);
  return last;
}

for (const [name, declared, kind] of [
  ['film.webm', 'video/webm', 'video'], ['film.mp4', 'video/mp4', 'video'], ['film-fragmented.mp4', 'video/mp4', 'video'],
  ['voice.weba', 'audio/webm;codecs=opus', 'audio'], ['live-voice.weba', 'video/webm', 'audio'], ['voice.m4a', '', 'audio'],
  ['voice.opus.ogg', 'audio/ogg', 'audio'], ['voice.mp3', 'audio/mpeg', 'audio'], ['voice.wav', 'audio/wav', 'audio'], ['voice.flac', 'audio/flac', 'audio'],
]) {
  test(`${name} opened in a tab plays`, { timeout: 60_000 }, async () => {
    const file = await keep(name, declared, sample(name));
    assert.equal(file.kind, kind);
    const { page, seen } = await openPage(w.browser);
    const response = await page.goto(file.url);
    assert.match(response.headers()['content-type'], new RegExp(`^${kind}/`));
    const got = await until(page, media, (it) => it.state > 0 || it.error, 'loaded');
    assert.equal(got.error, null);
    assert.ok(got.seconds > 0.1 && got.parts, JSON.stringify(got));
    if (Number.isFinite(got.seconds)) {
      await page.evaluate(() => {
        const it = document.querySelector('video, audio');
        it.pause();
        it.currentTime = 0.1;
      });
      await until(page, media, (it) => !it.seeking && Math.abs(it.at - 0.1) < 0.02, 'a place in the middle is found');
    }
    assert.deepEqual(refusals(seen), []);
    assert.deepEqual(strangers(seen, w.url), []);
  });
}

for (const [name, type] of [['picture.jpg', 'image/jpeg'], ['picture.webp', 'image/webp'], ['film.gif', 'image/gif'], ['picture.avif', 'image/avif']]) {
  test(`${name} opened in a tab is shown`, { timeout: 60_000 }, async () => {
    const file = await keep(name, type, sample(name));
    const { page, seen } = await openPage(w.browser);
    await page.goto(file.url);
    await until(page, () => document.querySelector('img').naturalWidth, (width) => width === 32, 'shown');
    assert.deepEqual(refusals(seen), []);
  });
}

const drawing = Buffer.from('<!-- by hand --><svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><script>document.title = "run"; new Image().src = "/run"</script></svg>');
const wide = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(drawing.toString(), 'utf16le')]);
const secret = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * i * 7 + 131 * i + 200) % 256));

for (const [what, name, type, data] of [['an SVG', 'a.svg', 'image/svg+xml', drawing], ['an SVG in UTF-16', 'a.svg', 'image/svg+xml', wide],
  ['what nobody knows', 'a.jpg', 'image/jpeg', secret], ['a voice message of iOS', 'a.caf', 'audio/x-caf', sample('voice.caf')]]) {
  test(`${what} opened in a tab, or framed, is a download`, { timeout: 60_000 }, async () => {
    const file = await keep(name, type, data);
    const { page, seen } = await openPage(w.browser);
    const [download] = await Promise.all([page.waitForEvent('download'), page.goto(file.url).catch((error) => error)]);
    assert.equal(download.url(), file.url);
    await page.goto(`${w.url}/demo.json`);
    const [framed] = await Promise.all([page.waitForEvent('download'), page.evaluate((url) => {
      const frame = document.createElement('iframe');
      frame.src = url;
      document.body.append(frame);
    }, file.url)]);
    assert.equal(framed.url(), file.url);
    assert.ok(!seen.urls.some((url) => url.endsWith('/run')), 'a script ran');
    // Were it no download, this would hold it.
    const headers = (await fetch(file.url)).headers;
    assert.match(headers.get('content-security-policy'), /default-src 'none'.*sandbox/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
  });
}

test('a page of another origin shows and plays what is kept, a drawing too', { timeout: 60_000 }, async () => {
  const [svg, utf16, film, voice] = await Promise.all([keep('a.svg', 'image/svg+xml', drawing), keep('b.svg', '', wide), keep('c.webm', '', sample('film.webm')), keep('d.weba', '', sample('voice.weba'))]);
  const other = await otherOrigin(() => `<img src="${svg.url}"><img src="${utf16.url}"><video src="${film.url}"></video><audio src="${voice.url}"></audio>`);
  try {
    const { page } = await openPage(w.browser);
    await page.goto(other.origin);
    assert.deepEqual(await page.locator('img').evaluateAll((all) => Promise.all(all.map(async (img) => { await img.decode(); return img.naturalWidth; }))), [40, 40]);
    const lengths = await page.locator('video, audio').evaluateAll((all) => Promise.all(all.map((media) => new Promise((resolve) => {
      const tell = () => resolve(media.error?.message ?? media.duration > 0.1);
      if (media.readyState > 0 || media.error) tell();
      for (const event of ['loadedmetadata', 'error']) media.addEventListener(event, tell, { once: true });
    }))));
    assert.deepEqual(lengths, [true, true]);
  } finally { await other.close(); }
});
