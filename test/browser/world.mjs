// A Parley with everything embedded and a real Chromium, for one test file.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { parleyBin } from '../e2e/harness/builds.mjs';
import { cleanEnv, Program } from '../e2e/harness/process.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';

// Nothing in the browser may reach for the network by itself.
const flags = [
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-default-apps', '--no-default-browser-check',
];

export const size = { width: 1280, height: 800 };

export function openBrowser() {
  // A new, empty profile each time: playwright makes it and throws it away.
  return chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
    headless: true, chromiumSandbox: false, args: flags,
  });
}

function listening(line) {
  try {
    const entry = JSON.parse(line);
    return entry.msg === 'listening' && entry.url;
  } catch { return undefined; }
}

export async function startParley(dir, env = {}) {
  const program = new Program('parley', parleyBin(), ['serve'], {
    dir, cwd: dir,
    env: cleanEnv({ GORACE: 'exitcode=66 halt_on_error=0 atexit_sleep_ms=0', TMPDIR: join(dir, 'tmp'), DATA_DIR: join(dir, 'data'), LOG_FORMAT: 'json', PORT: 0, HOST: '127.0.0.1', ...env }),
  });
  const url = await program.line(listening, 30_000);
  await waitFor(async () => (await fetch(`${url}/readyz`).catch(() => ({}))).status === 200, 20_000, () => `Parley ready:\n${program.tail()}`);
  return { program, url };
}

// A page of another origin. answer gives the HTML.
export async function otherOrigin(answer) {
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(request.url === '/favicon.ico' ? '' : answer());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { origin: `http://localhost:${server.address().port}`, close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }) };
}

// One Parley and one browser for the tests of a file. w.url, w.dir, w.browser.
// env may be a function of w; ready(w) is called once everything runs.
export function useWorld(env = {}, ready = () => {}) {
  const w = { programs: [] };
  w.start = async (more = {}) => {
    const parley = await startParley(w.dir, { ...w.env, ...more });
    w.programs.push(parley.program);
    Object.assign(w, { parley, url: parley.url });
  };
  before(async () => {
    w.dir = mkdtempSync(join(tmpdir(), 'parley-browser-'));
    mkdirSync(join(w.dir, 'tmp'));
    w.env = typeof env === 'function' ? await env(w) : env;
    [w.browser] = await Promise.all([openBrowser(), w.start()]);
    await ready(w);
  });
  // A page left open by a test that failed would still be somebody online.
  afterEach(async () => { for (const context of w.browser?.contexts() ?? []) await context.close(); });
  after(async () => {
    await w.browser?.close();
    for (const program of w.programs) {
      const { code, signal, forced } = await program.stop();
      if (signal === null || forced) assert.deepEqual({ code, forced: Boolean(forced) }, { code: 0, forced: false }, program.tail());
    }
    await w.close?.();
    rmSync(w.dir, { recursive: true, force: true });
  });
  return w;
}

// A page whose every request, error and frame received is written down.
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: size, colorScheme: 'light', locale: 'en-GB', reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  const seen = { urls: [], frames: [], problems: [], refused: [] };
  context.on('request', (request) => seen.urls.push(request.url()));
  context.on('response', (response) => { if (response.status() >= 400) seen.refused.push(`${response.status()} ${response.request().method()} ${response.url()}`); });
  page.on('websocket', (socket) => {
    seen.urls.push(socket.url());
    socket.on('framereceived', ({ payload }) => seen.frames.push(String(payload)));
  });
  page.on('filechooser', () => {}); // from the start: asking for it takes longer than a key press
  page.on('pageerror', (error) => seen.problems.push(String(error)));
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) seen.problems.push(message.text()); });
  return { context, page, seen };
}

// Away from both sides, so that neither is being read.
export async function lookAway(page) {
  await page.mouse.move(2, 2);
  await page.evaluate(() => document.activeElement.blur());
}

// What a page asked for anywhere but at url's origin.
export function strangers(seen, ...origins) {
  const known = new Set(origins.map((origin) => new URL(origin).host));
  return seen.urls.filter((url) => !/^(data|blob):/.test(url) && !known.has(new URL(url).host));
}

// One side of the page, in the words of somebody who uses it.
export class Side {
  constructor(page, name) {
    this.page = page;
    this.name = name;
    this.root = page.getByRole('region', { name, exact: true });
    this.box = this.root.getByRole('textbox');
    this.messages = this.root.locator('.msg');
  }

  button(name) { return this.root.getByRole('button', { name }); }
  link() { return this.root.locator('.link').innerText(); }
  peer() { return this.root.locator('.peer p').innerText(); }
  // Whether the other one's dot is lit, by what it is told and by what is seen.
  dot() {
    return this.root.locator('.peer .dot').evaluate((dot) => ({ on: dot.dataset.on, lit: getComputedStyle(dot).backgroundColor !== 'rgba(0, 0, 0, 0)' }));
  }
  texts() { return this.root.locator('.msg .bubble:not(.media)').allInnerTexts(); }
  lines() { return this.root.locator('.msg.mine .state').allInnerTexts(); }
  states() { return this.root.locator('.msg.mine').evaluateAll((all) => all.map((one) => one.dataset.state)); }
  pictures() { return this.root.locator('.msg img').evaluateAll((all) => all.map((one) => ({ src: one.src, width: one.complete ? one.naturalWidth : 0 }))); }
  repeated() { return this.root.evaluate((pane) => Number(pane.dataset.repeated ?? 0)); }

  async say(text) {
    await this.box.fill(text);
    await this.box.press('Enter');
  }

  // Waits until look() satisfies check, or fails with what it last saw.
  async until(look, check, what, ms = 15_000) {
    let last;
    await waitFor(async () => check(last = await look.call(this)), ms, () => `${this.name}: ${what}; last seen ${JSON.stringify(last)}`);
    return last;
  }

  // Chromium complains of a WebSocket that is closed while it opens, and the server does not hear of it: for as long as a
  // heartbeat may take, that user counts as online. So nobody goes offline, reloads or closes a page before this.
  upgraded() { return this.until(this.link, (text) => text === 'Connected · WebSocket', 'on its WebSocket'); }
  shows(text) { return this.until(this.texts, (all) => all.includes(text), `shows "${text}"`); }
}

export async function openDemo(w, options) {
  const opened = await openPage(w.browser, options);
  await opened.page.goto(w.url);
  const alice = new Side(opened.page, 'Alice');
  const bob = new Side(opened.page, 'Bob');
  await Promise.all([alice.upgraded(), bob.upgraded()]);
  await alice.until(alice.peer, (text) => /online/.test(text), 'Bob online');
  await bob.until(bob.peer, (text) => /online/.test(text), 'Alice online');
  return { ...opened, alice, bob };
}

// Closes a page that spoke to nobody else and met with no problem.
export async function ends(w, { context, seen }) {
  assert.deepEqual(strangers(seen, w.url), []);
  assert.deepEqual(seen.problems, []);
  await context.close();
}

// Sends as the user called name, with no page: what the curl line that the server prints does.
export async function postAs(w, name, text) {
  const { chatId, users } = await (await fetch(`${w.url}/demo.json`)).json();
  const form = new FormData();
  for (const [key, value] of Object.entries({ chatId, type: 'text', textMessage: text })) form.set(key, value);
  const response = await fetch(`${w.url}/api/messages`, { method: 'POST', body: form, headers: { Authorization: `Bearer ${users.find((user) => user.name === name).token}` } });
  assert.equal(response.status, 201);
  return (await response.json()).messages[0];
}
