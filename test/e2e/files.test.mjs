// Uploaded files, kept in the local folder: safe to hand to a browser, impossible to climb out of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { file, mp3, mp4, png, svg } from './harness/fixtures.mjs';
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
