// Uploaded files, kept in the local folder: safe to hand to a browser, impossible to climb out of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { file, html, mp3, mp4, pdf, png, svg } from './harness/fixtures.mjs';
import { post, rawGet } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 2 });

async function keep(...files) {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const res = await post(w.pods[0], token(alice), { chatId, files });
  assert.equal(res.status, 201, res.body);
  return res.json.messages.map((m) => new URL(m.fileUrl, w.pods[0].url).pathname);
}

test('headers: nosniff on everything, and only what cannot execute is shown in place', { timeout: 20_000 }, async () => {
  const [picture, drawing, film, song] = await keep(file('a.png', 'image/png', png()), file('b.svg', 'image/svg+xml', svg()), file('c.mp4', 'video/mp4', mp4()), file('d.mp3', 'audio/mpeg', mp3()));
  for (const [path, type] of [[picture, 'image/png'], [film, 'video/mp4'], [song, 'audio/mpeg']]) {
    const res = await fetch(w.pods[1].url + path);
    assert.equal(res.status, 200, path);
    assert.equal(res.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(res.headers.get('content-type').split(';')[0], type);
    assert.ok(!/attachment/.test(res.headers.get('content-disposition') ?? ''), `${type} can be shown`);
  }
  const res = await fetch(w.pods[1].url + drawing);
  assert.equal(res.status, 200);
  assert.equal(res.headers.get('x-content-type-options'), 'nosniff');
  assert.match(res.headers.get('content-disposition') ?? '', /^attachment/, 'an SVG can hold scripts');
  assert.match(drawing, /^\/files\//);
});

test('ranges, HEAD and 404', { timeout: 20_000 }, async () => {
  const data = png(5000);
  const [path] = await keep(file('a.png', 'image/png', data));
  const part = await fetch(w.pods[0].url + path, { headers: { range: 'bytes=10-19' } });
  assert.equal(part.status, 206);
  assert.ok(Buffer.from(await part.arrayBuffer()).equals(data.subarray(10, 20)));
  const head = await fetch(w.pods[0].url + path, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-length')], [200, String(data.length)]);
  assert.equal((await fetch(`${w.pods[0].url}/files/nothing.png`)).status, 404);
});

test('the client\'s file name is never a path; addresses are not guessable', { timeout: 20_000 }, async () => {
  const names = ['../../evil.png', '..\\..\\evil.png', '/etc/evil.png', 'evil.html', '.htaccess', 'a'.repeat(300) + '.png', 'böse 🙂.png', 'x.png; filename="y.exe"'];
  const paths = await keep(...names.map((n) => file(n, 'image/png', png())));
  assert.equal(new Set(paths).size, names.length);
  for (const p of paths) {
    assert.match(p, /^\/files\/[\w.-]+$/);
    assert.ok(!/evil|htaccess|html|exe/.test(p), p);
    assert.ok(p.length > '/files/'.length + 20, 'too short to be unguessable');
    assert.equal((await fetch(w.pods[0].url + p)).headers.get('content-type'), 'image/png');
  }
  assert.ok(w.files().every((f) => !/evil/.test(f)));
});

test('nothing outside the folder is served, however it is asked for', { timeout: 20_000 }, async () => {
  writeFileSync(join(w.dataDir, 'secret.txt'), 'SECRET');
  writeFileSync(join(w.dir, 'secret.txt'), 'SECRET');
  const [ok] = await keep(file('a.png', 'image/png', png()));
  assert.equal((await rawGet(w.pods[0], ok)).status, 200);
  const tries = ['/files/../secret.txt', '/files/../../secret.txt', '/files/%2e%2e/secret.txt', '/files/..%2fsecret.txt', '/files/..%2f..%2fsecret.txt', '/files/%2e%2e%2fsecret.txt',
    '/files/..%5csecret.txt', '/files/....//secret.txt', '/files//etc/passwd', '/files/%2fetc%2fpasswd', '/files/./../secret.txt', '/files/%00', `${ok}%00.txt`, `${ok}/../../secret.txt`, `${ok}/`, '/files/', '/files', '/files/.', '/files/..'];
  for (const path of tries) {
    const res = await rawGet(w.pods[0], path);
    assert.ok([400, 404, 301, 307].includes(res.status), `${path}: ${res.status}`);
    assert.ok(!/SECRET|root:|<pre>/.test(res.body), `${path} shows something: ${res.body}`);
    if (res.status < 400) {
      const followed = await rawGet(w.pods[0], new URL(res.headers.location, w.pods[0].url).pathname);
      assert.ok(followed.status === 404 || new URL(res.headers.location, w.pods[0].url).pathname === ok, `${path} → ${res.headers.location}`);
    }
  }
});

const sample = (name) => readFileSync(new URL(`../../adapters/media/testdata/${name}`, import.meta.url));
// What an encrypted file looks like, always the same.
const noise = (length) => Buffer.concat(Array.from({ length: Math.ceil(length / 32) }, (_, i) => createHash('sha256').update(`noise ${i}`).digest())).subarray(0, length);
const wide = (text, order) => {
  const b = Buffer.from(`\ufeff${text}`, 'utf16le');
  return order === 'BE' ? b.swap16() : b;
};

// Posts one file and says what became of it: the message's type, and how it is served.
async function handed(name, declared, data) {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const res = await post(w.pods[0], token(alice), { chatId, files: [file(name, declared, data)] });
  if (res.status !== 201) return `${res.status} ${res.code}`;
  const [message] = res.json.messages;
  const got = await fetch(new URL(message.fileUrl, w.pods[1].url));
  assert.ok(Buffer.from(await got.arrayBuffer()).equals(data), 'byte for byte');
  assert.equal(got.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(got.headers.get('content-security-policy'), "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin");
  const disposition = got.headers.get('content-disposition');
  return `${message.type} ${got.headers.get('content-type')} ${disposition === null ? 'shown' : disposition.split(';')[0]}`;
}

test('what is recorded with sound alone is audio, whatever it is declared as', { timeout: 60_000 }, async () => {
  for (const [name, type] of [['voice.weba', 'audio/webm'], ['live-voice.weba', 'audio/webm'], ['voice.m4a', 'audio/mp4'], ['voice.mp4', 'audio/mp4'], ['voice.3gp', 'audio/3gpp'], ['voice.opus.ogg', 'audio/ogg'], ['voice.mka', 'audio/x-matroska']]) {
    for (const declared of [type, 'video/webm', 'video/mp4', 'application/octet-stream', '']) assert.equal(await handed(name, declared, sample(name)), `audio ${type} shown`, `${name} as ${declared}`);
  }
  for (const [name, type] of [['film.webm', 'video/webm'], ['film.mp4', 'video/mp4'], ['film.3gp', 'video/3gpp'], ['film.ogv', 'video/ogg']]) {
    for (const declared of ['audio/webm', '']) assert.equal(await handed(name, declared, sample(name)), `video ${type} shown`, `${name} as ${declared}`);
  }
});

test('content that nobody knows is stored as declared, and is a download', { timeout: 60_000 }, async () => {
  for (const [name, declared, data, type] of [
    ['voice.caf', 'audio/x-caf', sample('voice.caf'), 'audio/x-caf'], ['film.ts', 'video/mp2t', sample('film.ts'), 'video/mp2t'], ['rf64.wav', 'audio/wav', sample('voice.rf64.wav')],
    ['voice.w64', 'audio/x-w64', sample('voice.w64')], ['voice.ac3', 'audio/ac3', sample('voice.ac3'), 'audio/ac3'], ['voice.aifc', 'audio/x-aiff', sample('voice.aifc')],
    ['voice.aac', 'audio/aac', sample('voice.loas')], ['voice.slk', 'audio/silk', Buffer.concat([Buffer.from('#!SILK_V3'), noise(100)])], ['secret.jpg', 'image/jpeg', noise(10_000)],
  ]) {
    assert.equal(await handed(name, declared, data), `${declared.split('/')[0]} ${type ?? 'application/octet-stream'} attachment`, name);
    assert.equal(await handed(name, 'application/octet-stream', data), '415 unsupported_media', `${name}, declared as nothing`);
  }
});

test('what is known to be something else is refused, whatever it is declared as', { timeout: 60_000 }, async () => {
  for (const [name, data] of Object.entries({ html: html(), wideHtml: wide('<html><script>alert(1)</script>'), pdf: pdf(), zip: Buffer.from('504b0304140000000800' + '00'.repeat(40), 'hex'), gzip: Buffer.from('1f8b0800000000000003', 'hex'), script: Buffer.from('#!/bin/sh\nid\n'), exe: Buffer.from('4d5a90000300000004000000ffff0000', 'hex'), xml: Buffer.from('<?xml version="1.0"?><note/>') })) {
    for (const declared of ['image/png', 'image/svg+xml', 'video/mp4', 'audio/mpeg']) assert.equal(await handed(name, declared, data), '415 unsupported_media', `${name} as ${declared}`);
  }
});

test('a drawing is one in any encoding and behind any comment', { timeout: 60_000 }, async () => {
  const plain = svg().toString().replace(/^<\?xml.*\n/, '');
  for (const [name, data] of Object.entries({ bom: Buffer.from(`\ufeff${plain}`), comment: Buffer.from(`\n<!-- by hand -->\n<!DOCTYPE svg>${plain}`), le: wide(plain), be: wide(`<?xml version="1.0" encoding="UTF-16"?>${plain}`, 'BE') })) {
    for (const declared of ['image/svg+xml', 'image/png', '']) assert.equal(await handed(name, declared, data), 'image image/svg+xml attachment', `${name} as ${declared}`);
  }
});
