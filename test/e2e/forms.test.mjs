// A post in every form browsers, phones and scripts send it, and at every pace. Contract 4.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { beforeEach, test } from 'node:test';
import { file, mp4, png } from './harness/fixtures.mjs';
import { api, boundary, multipart, post, rawPost } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { sleep, waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const silence = 2_000; // ms
const w = useWorld({ pods: 1, env: { MAX_UPLOADS: 1, MAX_TEXT_BYTES: 1000 } }, async () => { hasty = await w.pod({ UPLOAD_TIMEOUT: silence }); });
let hasty, alice, bob, eve, chatId;

beforeEach(async () => {
  [alice, bob, eve] = [objectId(), objectId(), objectId()];
  chatId = await w.chat(alice, bob);
});

const field = (name, value) => ({ name, value });
const upload = (f) => ({ name: 'files', file: f });

// A body from bytes alone: head and content of each part.
const raw = (...parts) => Buffer.concat([...parts.flatMap(([head, content]) => [Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`), Buffer.from(content), Buffer.from('\r\n')]), Buffer.from(`--${boundary}--\r\n`)]);
const disposition = 'Content-Disposition: form-data; ';
const text = (name, value) => [`${disposition}name="${name}"`, value];

function send(body, options = {}) {
  const { req, answer } = rawPost(options.pod ?? w.pods[0], token(options.user ?? alice), { length: body.length, ...options });
  req.end(body);
  return answer;
}

// As post, with another content type.
const scripted = (user, type, body, headers = {}) => api(w.pods[0], 'POST', '/api/messages', { token: token(user), body, headers: { 'content-type': type, ...headers } });

async function stored(kinds) {
  assert.deepEqual((await w.stored(chatId)).map((m) => m.textMessage ?? m.type), kinds);
}

test('an empty file input is no file', { timeout: 20_000 }, async () => {
  const b = await w.connect(w.pods[0], bob);
  const none = [[`${disposition}name="files"; filename=""\r\nContent-Type: application/octet-stream`, ''], text('files', ''), text('files', 'undefined'), text('files', 'null'), text('files[]', 'null')];
  for (const part of none) {
    const res = await send(raw(text('chatId', chatId), part, text('textMessage', 'typed')));
    assert.equal(res.status, 201, `${part}: ${res.body}`);
    assert.deepEqual(res.json.messages.map((m) => m.textMessage), ['typed']);
    const alone = await send(raw(text('chatId', chatId), part));
    assert.deepEqual([alone.status, alone.code], [400, 'empty_message'], alone.body);
    const words = await send(raw(text('chatId', chatId), text('files', 'photo.png'), text('textMessage', 'typed')));
    assert.deepEqual([words.status, words.code], [400, 'invalid_body'], words.body);
  }
  await b.got(none.length);
  await stored(none.map(() => 'typed'));
});

test('type is a hint and never a reason to refuse', { timeout: 20_000 }, async () => {
  for (const types of [['TEXT'], [''], ['undefined'], ['image/jpeg'], ['sticker', 'audio'], ['x'.repeat(3000)]]) {
    const body = multipart([...types.map((t) => field('type', t)), field('chatId', chatId), field('textMessage', 'typed'), upload(file('a.png', 'image/png', png()))]);
    const res = await send(body);
    assert.equal(res.status, 201, `${types}: ${res.body}`);
    assert.deepEqual(res.json.messages.map((m) => m.type), ['image', 'text']);
  }
});

test('a text of blanks is a text, byte for byte', { timeout: 20_000 }, async () => {
  const b = await w.connect(w.pods[0], bob);
  const texts = [' ', '\n', ' \t\r\n ', '\u00a0\u3000', '\u200b', '  both sides\n'];
  for (const t of texts) {
    const res = await send(raw(text('chatId', chatId), text('textMessage', t)));
    assert.equal(res.status, 201, `${JSON.stringify(t)}: ${res.body}`);
    assert.equal(res.json.messages[0].textMessage, t);
  }
  assert.deepEqual((await b.got(texts.length)).map((m) => m.content), texts);
  await stored(texts);
});

test('a text alone as JSON and as a plain form: delivered, refused and repeated as any other', { timeout: 30_000 }, async () => {
  const b = await w.connect(w.pods[0], bob);
  const forms = [
    ['application/json', (o) => JSON.stringify(o)],
    ['application/json; charset=utf-8', (o) => `\uFEFF${JSON.stringify({ ...o, other: 1 })}`],
    ['application/x-www-form-urlencoded', (o) => new URLSearchParams(o).toString()],
    ['application/x-www-form-urlencoded;charset=UTF-8', (o) => new URLSearchParams({ ...o, type: 'TEXT', files: '' }).toString()],
  ];
  for (const [type, write] of forms) {
    const key = `key-${objectId()}`;
    const body = write({ chatId, textMessage: ' héllo & 🙂+\n' });
    const first = await scripted(alice, type, body, { 'idempotency-key': key });
    assert.equal(first.status, 201, `${type}: ${first.body}`);
    assert.deepEqual((await scripted(alice, type, body, { 'idempotency-key': key })).json, first.json);
    assert.deepEqual((await post(w.pods[0], token(alice), { chatId, text: ' héllo & 🙂+\n', key })).json, first.json, 'the same key, another form');
    const refusals = [
      [alice, { chatId: 'nonsense', textMessage: 'x' }, 400, 'invalid_chat_id'], [alice, { textMessage: 'x' }, 400, 'invalid_chat_id'],
      [alice, { chatId: objectId(), textMessage: 'x' }, 404, 'chat_not_found'], [eve, { chatId, textMessage: 'x' }, 403, 'not_a_participant'],
      [alice, { chatId }, 400, 'empty_message'], [alice, { chatId, textMessage: '' }, 400, 'empty_message'],
      [alice, { chatId, textMessage: 'x'.repeat(1001) }, 400, 'text_too_long'], [alice, { chatId, textMessage: 'x'.repeat(3e6) }, 413, 'body_too_large'],
    ];
    for (const [who, o, status, code] of refusals) {
      const res = await scripted(who, type, write(o));
      assert.deepEqual([res.status, res.code], [status, code], `${type}: ${res.body}`);
    }
  }
  assert.deepEqual((await b.got(forms.length)).map((m) => m.content), forms.map(() => ' héllo & 🙂+\n'));
  await stored(forms.map(() => ' héllo & 🙂+\n'));
  for (const [body, code] of [['{"chatId":', 'invalid_body'], ['[]', 'invalid_body'], [JSON.stringify({ chatId, textMessage: ['x'] }), 'invalid_body'], [JSON.stringify({ chatId: { $ne: null }, textMessage: 'x' }), 'invalid_chat_id']]) {
    const res = await scripted(alice, 'application/json', body);
    assert.deepEqual([res.status, res.code], [400, code], res.body);
  }
});

test('a file part whose head cannot be read is not dropped, and what can be read is', { timeout: 30_000 }, async () => {
  const read = ['filename="böse 🙂.png"', 'filename="my "best" photo.png"', 'filename=my photo.png', 'filename="photo\\"', 'filename*=iso-8859-1\'\'na%EFve.png', 'filename*=UTF-8\'\'na%C3%AFve.png'];
  for (const name of read) {
    const res = await send(raw(text('chatId', chatId), text('textMessage', 'caption'), [`${disposition}name="files"; ${name}\r\nContent-Type: image/png`, png()]));
    assert.equal(res.status, 201, `${name}: ${res.body}`);
    assert.deepEqual(res.json.messages.map((m) => m.type), ['image', 'text'], name);
  }
  const [count, files] = [await w.Message.countDocuments(), w.files()];
  const odd = [`${disposition}name="files"; filename="photo.png`, `${disposition}name="files"; filename=a"b"c.png`, `${disposition}filename="a.png"`, 'Content-Disposition: attachment; name="files"; filename="a.png"', 'X-Nothing: here'];
  for (const head of odd) {
    const res = await send(raw(text('chatId', chatId), text('textMessage', 'caption'), [`${head}\r\nContent-Type: image/png`, png()]));
    assert.deepEqual([res.status, res.code], [400, 'invalid_body'], `${head}: ${res.body}`);
    assert.match(res.json.error.message, /part 3/);
  }
  assert.equal(await w.Message.countDocuments(), count);
  assert.deepEqual(w.files(), files);
});

test('an unquoted boundary with slashes', { timeout: 10_000 }, async () => {
  const odd = '----Boundary/7:MA=4?';
  const body = Buffer.from(raw(text('chatId', chatId), text('textMessage', 'typed')).toString('latin1').replaceAll(boundary, odd), 'latin1');
  const res = await send(body, { headers: { 'content-type': `multipart/form-data; boundary=${odd}` } });
  assert.equal(res.status, 201, res.body);
});

test('a body that ends before its last boundary is not taken for a whole one', { timeout: 10_000 }, async () => {
  const whole = raw(text('chatId', chatId), text('textMessage', 'caption'), [`${disposition}name="files"; filename="a.png"`, png()]);
  const count = await w.Message.countDocuments();
  const starts = whole.indexOf(`--${boundary}\r\n${disposition}name="files"`);
  for (const end of [starts, starts + boundary.length + 2, starts + boundary.length + 4, starts + boundary.length + 20, whole.length - 4]) {
    const res = await send(whole.subarray(0, end));
    assert.deepEqual([res.status, res.code], [400, 'invalid_body'], `${end} of ${whole.length}: ${res.body}`);
  }
  assert.equal(await w.Message.countDocuments(), count);
});

test('a Content-Encoding is refused by its name', { timeout: 10_000 }, async () => {
  const bodies = [['application/json', JSON.stringify({ chatId, textMessage: 'x' })], [`multipart/form-data; boundary=${boundary}`, raw(text('chatId', chatId), text('textMessage', 'x'))]];
  for (const [type, plain] of bodies) {
    const res = await send(gzipSync(plain), { headers: { 'content-type': type, 'content-encoding': 'gzip' } });
    assert.deepEqual([res.status, res.code, res.headers['accept-encoding']], [415, 'unsupported_media', 'identity'], res.body);
    assert.match(res.json.error.message, /Content-Encoding/);
    assert.equal((await send(Buffer.from(plain), { headers: { 'content-type': type, 'content-encoding': 'identity' } })).status, 201);
  }
});

test('an upload may take longer than UPLOAD_TIMEOUT as long as it goes on', { timeout: 60_000 }, async () => {
  const body = multipart([field('chatId', chatId), upload(file('a.png', 'image/png', png(200_000)))]);
  const { req, answer } = rawPost(hasty, token(alice), { length: body.length });
  const began = Date.now();
  const piece = Math.ceil(body.length / 8);
  for (let at = 0; at < body.length; at += piece) {
    req.write(body.subarray(at, at + piece));
    await sleep(silence / 4); // a slow network, not a proof
  }
  req.end();
  const res = await answer;
  assert.equal(res.status, 201, res.body);
  assert.ok(Date.now() - began >= 2 * silence);
});

test('a client that falls silent is told to send it again, and can', { timeout: 60_000 }, async () => {
  const files = w.files();
  const whole = multipart([field('chatId', chatId), field('textMessage', 'x'), upload(file('a.png', 'image/png', png(100_000)))]);
  const json = Buffer.from(JSON.stringify({ chatId, textMessage: 'x' }));
  for (const [type, body] of [[`multipart/form-data; boundary=${boundary}`, whole], ['application/json', json]]) {
    const options = { headers: { 'content-type': type, 'idempotency-key': `key-${objectId()}` } };
    const { req, answer } = rawPost(hasty, token(alice), { length: body.length, ...options });
    req.write(body.subarray(0, body.length - 10));
    const res = await answer;
    assert.deepEqual([res.status, res.code, res.headers.connection, res.headers['retry-after']], [408, 'upload_stalled', 'close', '1'], res.body);
    req.destroy();
    await waitFor(() => w.files().length === files.length, 5_000, 'what came of it to go');
    await stored([]);
    assert.equal((await send(body, { pod: hasty, ...options })).status, 201);
    await w.Message.deleteMany({ chatId });
    files.splice(0, files.length, ...w.files());
  }
  // Nobody reads the body of a request without a token, or waits for it.
  for (const [path, as] of [['/api/chats', token(alice)], ['/api/messages', 'nonsense']]) {
    const { req, answer } = rawPost(hasty, as, { path, length: 1000, headers: { 'content-type': 'application/json' } });
    req.write('{"participants":');
    const res = await answer;
    assert.ok([401, 408].includes(res.status), res.body);
    req.destroy();
  }
});

test('uploads that wait for their clients hold nobody up, and one user cannot have them all', { timeout: 60_000 }, async () => {
  const files = w.files();
  const body = multipart([field('chatId', chatId), upload(file('a.png', 'image/png', png(400_000)))]);
  const trickles = Array.from({ length: 64 }, () => {
    const t = rawPost(w.pods[0], token(alice), { length: body.length });
    t.req.write(body.subarray(0, 300_000));
    return t;
  });
  await waitFor(() => w.files().length === files.length + 64, 20_000, () => `64 uploads on the disk; there are ${w.files().length - files.length}`);
  const small = [upload(file('b.png', 'image/png', png()))];
  const others = await send(multipart([field('chatId', chatId), ...small]), { user: bob });
  assert.equal(others.status, 201, others.body);
  const more = await send(multipart([field('chatId', chatId), ...small]));
  assert.deepEqual([more.status, more.code, more.headers['retry-after']], [429, 'rate_limited', '1'], more.body);
  assert.equal((await send(multipart([field('chatId', chatId), field('textMessage', 'a text needs no place')]))).status, 201);
  for (const t of trickles) t.req.end(body.subarray(300_000));
  for (const res of await Promise.all(trickles.map((t) => t.answer))) assert.equal(res.status, 201, res.body);
  assert.equal((await send(multipart([field('chatId', chatId), ...small]))).status, 201);
});

test('where nothing else tells audio from video, the hint does', { timeout: 20_000 }, async () => {
  const sent = async (parts) => {
    const res = await send(multipart([field('chatId', chatId), ...parts]));
    assert.equal(res.status, 201, res.body);
    return res.json.messages.map((m) => `${m.type} ${m.fileUrl.match(/\.\w+$/)[0]}`);
  };
  const unsaid = upload(file('a', 'application/octet-stream', mp4()));
  const hint = (value) => field('type', value);
  assert.deepEqual(await sent([hint('audio'), unsaid]), ['audio .m4a']);
  assert.deepEqual(await sent([unsaid, hint('Audio/mp4')]), ['audio .m4a']);
  assert.deepEqual(await sent([unsaid, hint('video')]), ['video .mp4']);
  assert.deepEqual(await sent([unsaid, hint('audio'), unsaid, hint('video')]), ['audio .m4a', 'video .mp4']);
  assert.deepEqual(await sent([hint('audio'), upload(file('a', 'video/mp4', mp4()))]), ['video .mp4'], 'the declared type says it');
  assert.deepEqual(await sent([hint('audio'), upload(file('a.png', 'image/png', png()))]), ['image .png'], 'the content says it');
});
