// Every refusal: its status, its code, and proof that nothing was stored, emitted or left behind. Contract 4.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { elf, file, html, mp4, pdf, png, text as plainText } from './harness/fixtures.mjs';
import { api, multipart, post, postParts, rawPost } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { seconds, token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

let alice, bob, eve, chatId, foreign, small, cautious;

const w = useWorld({ pods: 1 }, async () => {
  [small, cautious] = await Promise.all([
    w.pod({ MAX_FILES: 3, MAX_FILE_BYTES: 100_000, MAX_TEXT_BYTES: 1000 }),
    w.pod({ RATE_LIMIT_MESSAGES: 1, RATE_LIMIT_BURST: 3 }),
  ]);
});

// New people for every test: what was said in the last one is none of this one's business.
beforeEach(async () => {
  [alice, bob, eve] = [objectId(), objectId(), objectId()];
  chatId = await w.chat(alice, bob);
  foreign = await w.chat(bob, eve);
});

const field = (name, value) => ({ name, value });
const upload = (f) => ({ name: 'files', file: f });
const image = () => file('ok.png', 'image/png', png());

// Runs refused() and proves that it left no trace: not in MongoDB, not on disk, not at any socket.
async function nothingHappens(refused) {
  const listeners = [await w.connect(w.pods[0], bob), await w.connect(small, bob), await w.connect(w.pods[0], alice)];
  const [count, files] = [await w.Message.countDocuments(), w.files()];
  await refused();
  await waitFor(() => w.files().length === files.length, 2_000, () => `no new file; there is ${w.files().filter((f) => !files.includes(f))}`);
  assert.deepEqual(w.files(), files);
  assert.equal(await w.Message.countDocuments(), count);
  await w.settle(w.pods[0], alice, chatId, ...listeners);
  await w.settle(small, alice, chatId, ...listeners);
  for (const c of listeners) assert.equal(c.messages.length, 2, JSON.stringify(c.messages));
  for (const c of listeners) c.close();
}

function assertRefused(res, statuses, codes, name) {
  assert.ok([statuses].flat().includes(res.status), `${name}: ${res.status} ${res.body}`);
  assert.ok([codes].flat().includes(res.code), `${name}: ${res.body}`);
  assert.deepEqual(Object.keys(res.json), ['error'], name);
  assert.deepEqual(Object.keys(res.json.error).sort(), ['code', 'message'], name);
  assert.match(res.json.error.message, /\S/, name);
}

test('tokens: 401 and the code', { timeout: 30_000 }, () => nothingHappens(async () => {
  const cases = [
    [undefined, 'token_missing'], ['', ['token_missing', 'token_malformed']], ['nonsense', 'token_malformed'],
    [token(alice, {}, { secret: 'another' }), 'token_invalid'], [token(alice, { exp: seconds(-10) }), 'token_expired'],
    [token(alice, { nbf: seconds(600) }), 'token_invalid'], [token({ $ne: null }), 'token_invalid'], [token(undefined), 'token_invalid'],
    [token(alice, {}, { algorithm: 'HS384' }), 'token_invalid'],
  ];
  for (const [given, code] of cases) {
    assertRefused(await post(w.pods[0], given, { chatId, text: 'no' }), 401, code, `post with ${code}`);
    assertRefused(await post(w.pods[0], given, { chatId, text: 'no', files: [image()] }), 401, code, `upload with ${code}`);
    assertRefused(await api(w.pods[0], 'GET', '/api/chats', { token: given }), 401, code, `list with ${code}`);
  }
  const basic = await api(w.pods[0], 'GET', '/api/chats', { headers: { authorization: 'Basic YTpi' } });
  assertRefused(basic, 401, ['token_missing', 'token_malformed'], 'Basic');
}));

test('everything under /api wants a token', { timeout: 10_000 }, async () => {
  const calls = [['GET', '/api/chats'], ['POST', '/api/chats'], ['POST', `/api/chats/${objectId()}/participants`], ['DELETE', `/api/chats/${objectId()}/participants/${alice}`],
    ['GET', `/api/chats/${objectId()}/messages`], ['GET', `/api/users/${alice}/online`], ['POST', '/api/messages']];
  for (const [method, path] of calls) assertRefused(await api(w.pods[0], method, path), 401, 'token_missing', `${method} ${path}`);
});

test('chats: malformed, unknown, somebody else\'s', { timeout: 30_000 }, () => nothingHappens(async () => {
  const t = token(alice);
  for (const bad of [undefined, '', 'xyz', chatId.slice(1), `${chatId}0`, 'g'.repeat(24), '{"$ne":null}', `${chatId} `, `${chatId}\0`, '../../etc/passwd']) {
    for (const files of [[], [image()]]) assertRefused(await post(w.pods[0], t, { chatId: bad, text: 'no', files }), 400, 'invalid_chat_id', JSON.stringify(bad));
  }
  for (const files of [[], [image()]]) {
    assertRefused(await post(w.pods[0], t, { chatId: objectId(), text: 'no', files }), 404, 'chat_not_found', 'unknown chat');
    assertRefused(await post(w.pods[0], t, { chatId: foreign, text: 'no', files }), 403, 'not_a_participant', 'foreign chat');
  }
  assert.equal(await w.Message.countDocuments({ chatId: foreign }), 0);
}));

test('two chatIds in one request never reach the chat that is not the sender\'s', { timeout: 20_000 }, async () => {
  for (const [first, second] of [[chatId, foreign], [foreign, chatId]]) {
    const res = await postParts(w.pods[0], token(alice), [field('chatId', first), field('textMessage', 'no'), field('chatId', second), field('type', 'text')]);
    assert.ok([201, 400, 403].includes(res.status), res.body);
  }
  assert.equal(await w.Message.countDocuments({ chatId: foreign }), 0);
});

test('a chatId in upper case is refused, or delivered under the room\'s own name', { timeout: 20_000 }, async () => {
  // An id with letters in it, so that it has an upper case.
  const id = `${chatId.slice(0, 8)}abcdef${objectId().slice(14)}`;
  await w.connection.collection('chats').insertOne({ _id: new w.connection.base.Types.ObjectId(id), participants: [alice, bob], createdAt: new Date(), updatedAt: new Date() });
  const b = await w.connect(w.pods[0], bob);
  const res = await w.say(w.pods[0], alice, id.toUpperCase(), 'LOUD');
  if (res.status === 201) {
    assert.equal(res.json.messages[0].chatId, id);
    assert.equal((await b.got(1))[0].chatId, id);
  } else {
    assertRefused(res, 400, 'invalid_chat_id', 'upper case');
    assert.equal(await w.Message.countDocuments({ chatId: id }), 0);
  }
  await w.settle(w.pods[0], alice, id, b);
});

test('contents: nothing to send, a text too long', { timeout: 30_000 }, () => nothingHappens(async () => {
  const t = token(alice);
  assertRefused(await post(w.pods[0], t, { chatId }), 400, 'empty_message', 'no text, no file');
  assertRefused(await post(w.pods[0], t, { chatId, text: '' }), 400, 'empty_message', 'empty text');
  assertRefused(await post(small, t, { chatId, text: 'x'.repeat(1001) }), 400, 'text_too_long', '1001 of 1000');
  assertRefused(await post(small, t, { chatId, text: '€'.repeat(334) }), 400, 'text_too_long', '1002 bytes, 334 characters');
  assertRefused(await post(small, t, { chatId, text: 'x'.repeat(3_000_000) }), [400, 413], ['text_too_long', 'body_too_large'], '3 MB');
  assertRefused(await post(small, t, { chatId, text: 'x'.repeat(1001), files: [image()] }), 400, 'text_too_long', 'with a file before it');
}));

test('a text of exactly the limit goes through', { timeout: 10_000 }, async () => {
  const m = await w.said(small, alice, chatId, 'x'.repeat(1000));
  assert.equal(m.textMessage.length, 1000);
});

test('files: wrong content under a right name, too large, too many; the good ones before are not kept', { timeout: 60_000 }, () => nothingHappens(async () => {
  const t = token(alice);
  const wrong = { pdf: pdf(), html: html(), elf: elf(), text: plainText(), empty: Buffer.alloc(0), zeros: Buffer.alloc(2000) };
  for (const [name, data] of Object.entries(wrong)) {
    const statuses = name === 'empty' ? [400, 415] : 415;
    const codes = name === 'empty' ? ['unsupported_media', 'empty_message', 'invalid_body'] : 'unsupported_media';
    assertRefused(await post(w.pods[0], t, { chatId, files: [file('x.png', 'image/png', data)] }), statuses, codes, `${name} alone`);
    assertRefused(await post(w.pods[0], t, { chatId, text: 'look', files: [image(), file('m.mp4', 'video/mp4', mp4()), file('x.png', 'image/png', data)] }), statuses, codes, `${name} as the third`);
  }
  const big = file('big.png', 'image/png', png(100_000));
  assertRefused(await post(small, t, { chatId, files: [big] }), 413, 'file_too_large', 'too large');
  assertRefused(await post(small, t, { chatId, text: 'look', files: [image(), image(), big] }), 413, 'file_too_large', 'third too large');
  assertRefused(await post(small, t, { chatId, files: [image(), image(), image(), image()] }), [400, 413], 'too_many_files', 'four of three');
  assertRefused(await postParts(small, t, [upload(image()), upload(image()), upload(image()), upload(image()), field('chatId', chatId)]), [400, 413], 'too_many_files', 'four of three, chatId last');
}));

test('files before the field that refuses them leave nothing either', { timeout: 30_000 }, () => nothingHappens(async () => {
  const files = [upload(image()), upload(file('v.mp4', 'video/mp4', mp4()))];
  const cases = [
    [[...files, field('chatId', foreign)], 403, 'not_a_participant'],
    [[...files, field('chatId', objectId())], 404, 'chat_not_found'],
    [[...files, field('chatId', 'nonsense')], 400, 'invalid_chat_id'],
    [files, 400, 'invalid_chat_id'],
    [[...files, field('chatId', chatId), field('textMessage', 'x'.repeat(1001))], 400, 'text_too_long'],
  ];
  for (const [parts, status, code] of cases) assertRefused(await postParts(small, token(alice), parts), status, code, code);
}));

test('bodies of another kind, or not whole', { timeout: 30_000 }, () => nothingHappens(async () => {
  const t = token(alice);
  assertRefused(await api(w.pods[0], 'POST', '/api/messages', { token: t, body: JSON.stringify({ chatId, textMessage: 'no' }), headers: { 'content-type': 'text/plain' } }), 415, 'unsupported_media', 'text/plain');
  const whole = multipart([field('chatId', chatId), field('textMessage', 'no'), field('type', 'text'), upload(image())]);
  for (const [name, body] of [['cut short', whole.subarray(0, whole.length - 60)], ['no parts', Buffer.from('hello')], ['empty', Buffer.alloc(0)]]) {
    const { req, answer } = rawPost(w.pods[0], t, { length: body.length });
    req.end(body);
    assertRefused(await answer, 400, ['invalid_body', 'invalid_chat_id', 'empty_message'], name);
  }
}));

test('fields in any order: all 24 of them', { timeout: 40_000 }, async () => {
  const b = await w.connect(w.pods[0], bob);
  const parts = [field('chatId', chatId), field('textMessage', 'any order'), field('type', 'image'), upload(image())];
  const orders = (list) => (list.length < 2 ? [list] : list.flatMap((x, i) => orders([...list.slice(0, i), ...list.slice(i + 1)]).map((rest) => [x, ...rest])));
  const all = orders(parts);
  assert.equal(all.length, 24);
  const want = [];
  for (const order of all) {
    const res = await postParts(w.pods[0], token(alice), order);
    assert.equal(res.status, 201, `${order.map((p) => p.name)}: ${res.body}`);
    assert.deepEqual(res.json.messages.map((m) => m.type), ['image', 'text'], order.map((p) => p.name).join());
    want.push(...res.json.messages.map((m) => m._id));
  }
  await b.got(48);
  assert.deepEqual(b.ids(), want);
});

test('an upload that breaks off leaves nothing', { timeout: 40_000 }, () => nothingHappens(async () => {
  const files = w.files();
  for (const atEnd of [true, false]) {
    const body = multipart([...(atEnd ? [] : [field('chatId', chatId)]), field('textMessage', 'no'), upload(image()), upload(file('v.png', 'image/png', png(8_000_000))), ...(atEnd ? [field('chatId', chatId)] : [])]);
    const { req, answer } = rawPost(w.pods[0], token(alice), { length: body.length });
    req.write(body.subarray(0, 6_000_000));
    await waitFor(() => w.files().length > files.length, 10_000, 'the upload to reach the disk: it must be streamed, not held in memory');
    req.destroy();
    await assert.rejects(answer);
    await waitFor(() => w.files().length === files.length, 10_000, () => `the pieces to go: ${w.files().filter((f) => !files.includes(f))}`);
  }
}));

test('too many requests: 429 with Retry-After, and others are not affected', { timeout: 30_000 }, async () => {
  const stored = await w.Message.countDocuments({ chatId });
  const began = Date.now();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => w.say(cautious, alice, chatId, `hurry ${i}`)));
  const seconds = (Date.now() - began) / 1000;
  const refused = answers.filter((r) => r.status === 429);
  for (const r of refused) {
    assertRefused(r, 429, 'rate_limited', 'rate');
    assert.match(r.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  }
  const taken = answers.filter((r) => r.status === 201).length;
  assert.equal(taken + refused.length, 20);
  assert.ok(taken >= 3 && taken <= 3 + seconds, `three at once and one each second; ${taken} in ${seconds} s`);
  assert.equal(await w.Message.countDocuments({ chatId }), stored + taken);
  await w.said(cautious, bob, chatId, 'not me');
  const again = await waitFor(async () => { const r = await w.say(cautious, alice, chatId, 'later'); return r.status === 201 && r; }, 5_000, 'the limit to pass');
  assert.equal(again.json.messages.length, 1);
});

test('paths and methods that do not exist: JSON with a code', { timeout: 10_000 }, async () => {
  assertRefused(await api(w.pods[0], 'GET', '/api/nothing', { token: token(alice) }), 404, 'not_found', 'unknown path');
  assertRefused(await api(w.pods[0], 'GET', '/nothing'), 404, 'not_found', 'unknown path outside');
  assertRefused(await api(w.pods[0], 'PUT', '/api/chats', { token: token(alice) }), 405, 'method_not_allowed', 'unknown method');
});
