// What a real browser makes of a form, sent as pages send it. Contract 4.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sunset } from './picture.mjs';
import { openPage, useWorld } from './world.mjs';

const w = useWorld();

// Builds the form in the page, sends it, and returns status and answer.
async function submit(page, ways, file) {
  await page.setContent('<form><input name="chatId"><input name="textMessage"><input type="file" name="files" multiple><input name="type"></form>');
  if (file) await page.setInputFiles('input[type=file]', file);
  return page.evaluate(async ({ ways: how, hasFile }) => {
    const demo = await (await fetch('/demo.json')).json();
    const form = document.querySelector('form');
    form.chatId.value = demo.chatId;
    form.textMessage.value = hasFile ? '' : 'typed';
    let body = new FormData(form);
    if (how === 'undefined' || how === 'null') {
      body.delete('files');
      body.append('files', how === 'null' ? null : undefined);
    }
    if (how === 'urlencoded') body = new URLSearchParams([...body].filter(([, value]) => typeof value === 'string'));
    const headers = { Authorization: `Bearer ${demo.users[0].token}` };
    if (how === 'json') {
      headers['Content-Type'] = 'application/json';
      body = JSON.stringify({ chatId: demo.chatId, textMessage: 'typed' });
    }
    const response = await fetch('/api/messages', { method: 'POST', headers, body });
    return { status: response.status, json: await response.json() };
  }, { ways, hasFile: Boolean(file) });
}

test('a form whose file input was left empty, and a text however a script sends it', async () => {
  const { context, page } = await openPage(w.browser);
  await page.goto(w.url);
  for (const ways of ['form', 'undefined', 'null', 'urlencoded', 'json']) {
    const { status, json } = await submit(page, ways);
    assert.equal(status, 201, `${ways}: ${JSON.stringify(json)}`);
    assert.deepEqual(json.messages.map((m) => m.textMessage), ['typed'], ways);
  }
  await context.close();
});

test('file names as people have them', async () => {
  const { context, page } = await openPage(w.browser);
  await page.goto(w.url);
  const buffer = await sunset(w.browser);
  for (const name of ['böse 🙂.png', 'my "best" photo.png', 'back\\slash.png', 'semi;colon="x".png', "it's 100%.png", 'a'.repeat(200) + '.png']) {
    const { status, json } = await submit(page, 'form', { name, mimeType: 'image/png', buffer });
    assert.equal(status, 201, `${name}: ${JSON.stringify(json)}`);
    assert.deepEqual(json.messages.map((m) => m.type), ['image'], name);
  }
  await context.close();
});
