// Chats over REST: making them, joining and leaving them live, and their history; beside a Mongoose application. Contract 4 and 5.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libs } from './harness/clients.mjs';
import { file, mp3, png } from './harness/fixtures.mjs';
import { api, post } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 2 });
const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const add = (pod, by, chatId, userId) => api(pod, 'POST', `/api/chats/${chatId}/participants`, { token: token(by), body: { userId } });
const remove = (pod, by, chatId, userId) => api(pod, 'DELETE', `/api/chats/${chatId}/participants/${encodeURIComponent(userId)}`, { token: token(by) });
const history = (pod, user, chatId, query = '') => api(pod, 'GET', `/api/chats/${chatId}/messages${query}`, { token: token(user) });
const list = (pod, user) => api(pod, 'GET', '/api/chats', { token: token(user) });

test('create: the participants\' live sockets are in on every pod before the answer, 20 times', { timeout: 40_000 }, async () => {
  for (let round = 0; round < 20; round++) {
    const [alice, bob, carol, eve] = [objectId(), objectId(), objectId(), objectId()];
    const inside = await Promise.all([w.connect(w.pods[0], alice), w.connect(w.pods[0], bob), w.connect(w.pods[1], bob, { lib: libs[round % 3] }), w.connect(w.pods[1], carol, { transports: ['polling'] })]);
    const outside = await w.connect(w.pods[1], eve);
    const chat = await w.chatByRest(w.pods[round % 2], alice, [alice, bob, carol], round % 2 ? 'Lunch' : undefined);
    const sent = await Promise.all(w.pods.map((pod) => w.said(pod, bob, chat._id, 'at once')));
    for (const c of inside) {
      await c.got(2);
      assert.deepEqual(c.ids().sort(), sent.map((m) => m._id).sort());
      const joined = await c.saw('chat_joined');
      assert.deepEqual(Object.keys(joined), ['chat']);
      assert.equal(joined.chat._id, chat._id);
    }
    assert.equal(outside.messages.length, 0);
    if (round === 0) {
      assert.match(chat._id, /^[0-9a-f]{24}$/);
      assert.deepEqual(chat.participants.slice().sort(), [alice, bob, carol].sort());
      for (const k of ['createdAt', 'updatedAt']) assert.match(chat[k], isoDate);
      assert.equal('name' in chat, false);
    }
    if (round === 1) assert.equal(chat.name, 'Lunch');
    for (const c of [...inside, outside]) c.close();
  }
});

test('add: live sockets join on every pod before the answer, and are told', { timeout: 30_000 }, async () => {
  for (let round = 0; round < 10; round++) {
    const [alice, bob, carol] = [objectId(), objectId(), objectId()];
    const chatId = await w.chat(alice, bob);
    const devices = await Promise.all([w.connect(w.pods[0], carol), w.connect(w.pods[1], carol)]);
    // What was said before is through on both pods before she is let in.
    const watchers = await Promise.all(w.pods.map((pod) => w.connect(pod, alice)));
    await w.settle(w.pods[0], alice, chatId, ...watchers);
    const res = await add(w.pods[round % 2], alice, chatId, carol);
    assert.equal(res.status, 200, res.body);
    assert.deepEqual(res.json.chat.participants.slice().sort(), [alice, bob, carol].sort());
    const sent = await Promise.all(w.pods.map((pod) => w.said(pod, alice, chatId, 'welcome')));
    for (const c of devices) {
      await c.got(2);
      assert.deepEqual(c.ids().sort(), sent.map((m) => m._id).sort());
      assert.equal((await c.saw('chat_joined')).chat._id, chatId);
    }
    assert.equal((await w.say(w.pods[1], carol, chatId, 'thanks')).status, 201);
    const again = await add(w.pods[0], bob, chatId, carol);
    assert.equal(again.status, 200, 'adding twice is no error');
    assert.equal(again.json.chat.participants.length, 3);
    for (const c of [...devices, ...watchers]) c.close();
  }
});

test('remove: live sockets are out on every pod before the answer, and are told', { timeout: 30_000 }, async () => {
  for (let round = 0; round < 10; round++) {
    const [alice, bob, carol] = [objectId(), objectId(), objectId()];
    const chatId = await w.chat(alice, bob, carol);
    const still = await w.chat(alice, carol);
    const devices = await Promise.all([w.connect(w.pods[0], carol), w.connect(w.pods[1], carol)]);
    await w.settle(w.pods[0], alice, chatId, ...devices);
    const res = await remove(w.pods[round % 2], round % 3 ? alice : carol, chatId, carol);
    assert.equal(res.status, 200, res.body);
    assert.deepEqual(res.json.chat.participants.slice().sort(), [alice, bob].sort());
    await Promise.all(w.pods.map((pod) => w.said(pod, alice, chatId, 'between us')));
    const marks = [await w.settle(w.pods[0], alice, still, ...devices), await w.settle(w.pods[1], alice, still, ...devices)];
    for (const c of devices) {
      assert.equal(c.messages.length, 3);
      assert.deepEqual(c.ids().slice(1).sort(), marks.map((m) => m._id).sort());
      assert.deepEqual(await c.saw('chat_left'), { chatId });
    }
    for (const pod of w.pods) {
      assert.equal((await w.say(pod, carol, chatId, 'let me in')).code, 'not_a_participant');
      assert.equal((await history(pod, carol, chatId)).status, 403);
      assert.deepEqual(await devices[w.pods.indexOf(pod)].ask('typing', { chatId, isTyping: true }).then((r) => [r.ok, r.error?.code]), [false, 'not_a_participant']);
    }
    for (const c of devices) c.close();
  }
});

test('who may not: strangers neither add, remove nor read; bad bodies are refused', { timeout: 20_000 }, async () => {
  const [alice, bob, eve] = [objectId(), objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  assert.deepEqual([(await add(w.pods[0], eve, chatId, eve)).status, (await remove(w.pods[0], eve, chatId, bob)).status, (await history(w.pods[0], eve, chatId)).status], [403, 403, 403]);
  assert.deepEqual([(await add(w.pods[0], eve, objectId(), eve)).status, (await remove(w.pods[0], eve, objectId(), bob)).status, (await history(w.pods[0], eve, objectId())).status], [404, 404, 404]);
  assert.equal((await history(w.pods[0], alice, 'nonsense')).code, 'invalid_chat_id');
  for (const body of [{}, { participants: [] }, { participants: 'x' }, { participants: [{ $ne: null }] }, { participants: [''] }, [], 'nonsense', '{"participants":["a"]} more']) {
    const res = await api(w.pods[0], 'POST', '/api/chats', { token: token(alice), body });
    assert.equal(res.status, 400, `${JSON.stringify(body)}: ${res.body}`);
    assert.match(res.code, /^invalid_/);
  }
  for (const body of [{}, { userId: '' }, { userId: { $ne: null } }, { userId: 'x'.repeat(1000) }]) {
    assert.equal((await api(w.pods[0], 'POST', `/api/chats/${chatId}/participants`, { token: token(alice), body })).status, 400, JSON.stringify(body));
  }
  const doc = await w.Chat.findById(chatId).lean();
  assert.deepEqual(doc.participants.map(String), [alice, bob]);
  assert.equal((await list(w.pods[0], eve)).json.chats.length, 0);
});

test('the list: the caller\'s chats, newest activity first', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chats = [];
  for (let i = 0; i < 5; i++) chats.push(await w.chat(alice, bob));
  await w.chat(bob, objectId());
  for (const i of [3, 0, 4]) await w.said(w.pods[0], alice, chats[i], `in ${i}`);
  const res = await list(w.pods[1], alice);
  assert.equal(res.status, 200, res.body);
  assert.deepEqual(res.json.chats.map((c) => c._id), [4, 0, 3, 2, 1].map((i) => chats[i]));
  for (const c of res.json.chats) assert.deepEqual(c.participants.slice().sort(), [alice, bob].sort());
});

test('history: cursors neither repeat nor skip while others write', { timeout: 40_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  // Many messages of the very same millisecond, as an import or a busy chat makes them.
  const at = (n) => new Date(1_700_000_000_000 + Math.floor(n / 10));
  const old = await w.Message.insertMany(Array.from({ length: 60 }, (_, i) => ({ chatId, senderId: alice, textMessage: `old ${i}`, createdAt: at(i), updatedAt: at(i) })), { timestamps: false });
  const known = old.map((m) => m._id.toString());
  for (let i = 0; i < 20; i++) known.push((await w.said(w.pods[i % 2], alice, chatId, `new ${i}`))._id);
  for (const limit of [1, 7, 50, 200]) {
    let writing = true;
    let wrote = 0;
    const writer = (async () => { while (writing) { await w.said(w.pods[0], bob, chatId, 'meanwhile'); wrote++; } })();
    const seen = [];
    let next = null;
    let pages = 0;
    do {
      const res = await history(w.pods[pages % 2], alice, chatId, `?limit=${limit}${next ? `&before=${next}` : ''}`);
      assert.equal(res.status, 200, res.body);
      assert.ok(res.json.messages.length <= limit);
      seen.push(...res.json.messages);
      next = res.json.next;
      assert.ok(next === null || typeof next === 'string');
      assert.ok(++pages < 400);
    } while (next);
    writing = false;
    await writer;
    const ids = seen.map((m) => m._id);
    assert.equal(new Set(ids).size, ids.length, `limit ${limit}: repeated`);
    assert.deepEqual(ids.filter((id) => known.includes(id)), known.slice().reverse(), `limit ${limit}: skipped, or out of order`);
    assert.ok(limit > 7 || wrote > 0, 'nobody wrote meanwhile');
  }
});

test('history: after, limits, bad cursors', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const ids = [];
  for (let i = 0; i < 12; i++) ids.push((await w.said(w.pods[0], alice, chatId, `m${i}`))._id);
  const after = await history(w.pods[1], bob, chatId, `?after=${ids[8]}`);
  assert.deepEqual(after.json.messages.map((m) => m._id), [ids[11], ids[10], ids[9]]);
  const last = await history(w.pods[1], bob, chatId, `?after=${ids[11]}`);
  assert.deepEqual(last.json.messages, []);
  const between = await history(w.pods[1], bob, chatId, `?after=${ids[3]}&before=${ids[6]}`);
  assert.deepEqual(between.json.messages.map((m) => m._id), [ids[5], ids[4]]);
  const first = await history(w.pods[1], bob, chatId, '?limit=200');
  assert.deepEqual([first.json.messages.length, first.json.next], [12, null]);
  for (const query of ['?limit=0', '?limit=-1', '?limit=many', '?limit=100000', '?before=nonsense', '?after=%7B%22$gt%22%3A%22%22%7D']) {
    const res = await history(w.pods[0], alice, chatId, query);
    assert.equal(res.status, 400, `${query}: ${res.body}`);
  }
  const other = await w.chat(alice, objectId());
  const foreign = await w.said(w.pods[0], alice, other, 'elsewhere');
  const odd = await history(w.pods[0], bob, chatId, `?before=${foreign._id}`);
  assert.ok([400, 404].includes(odd.status), 'a cursor of another chat');
});

test('a Mongoose application reads what Parley wrote', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chat = await w.chatByRest(w.pods[0], alice, [alice, bob], 'Both');
  const res = await post(w.pods[0], token(alice), { chatId: chat._id, text: 'hi', files: [file('a.png', 'image/png', png()), file('b.mp3', 'audio/mpeg', mp3())] });
  assert.equal(res.status, 201, res.body);

  const doc = await w.Chat.findById(chat._id);
  assert.deepEqual([doc.name, doc.participants.map(String)], ['Both', [alice, bob]]);
  const found = await w.Chat.find({ participants: bob });
  assert.deepEqual(found.map((c) => c._id.toString()), [chat._id], 'participants are ObjectIds to Mongoose');
  await doc.validate();
  doc.name = 'Renamed';
  await doc.save();
  assert.equal((await list(w.pods[0], bob)).json.chats[0].name, 'Renamed');

  const messages = await w.Message.find({ chatId: chat._id, senderId: alice }).sort({ _id: 1 });
  assert.deepEqual(messages.map((m) => m.type), ['image', 'audio', 'text']);
  for (const [i, m] of messages.entries()) {
    await m.validate();
    assert.ok(m.createdAt instanceof Date && m.updatedAt instanceof Date);
    assert.equal(m.__v, 0);
    const { __v, ...printed } = JSON.parse(JSON.stringify(m));
    assert.deepEqual(printed, res.json.messages[i]);
  }
  const types = await w.connection.collection('messages').findOne({ _id: messages[2]._id });
  assert.deepEqual(Object.keys(types).sort(), ['__v', '_id', 'chatId', 'createdAt', 'senderId', 'textMessage', 'type', 'updatedAt']);
  for (const k of ['_id', 'chatId', 'senderId']) assert.equal(types[k]._bsontype, 'ObjectId', k);
  assert.ok(types.createdAt instanceof Date);
});

test('a chat and messages that Mongoose wrote are served, and further fields are left alone', { timeout: 20_000 }, async () => {
  const [alice, bob, carol] = [objectId(), objectId(), objectId()];
  const chat = await w.LooseChat.create({ participants: [new w.connection.base.Types.ObjectId(alice), new w.connection.base.Types.ObjectId(bob)], name: 'Theirs', avatar: { url: 'x', sizes: [1, 2] }, isGroup: true });
  const chatId = chat._id.toString();
  const message = await w.Message.create({ chatId, senderId: bob, textMessage: 'from mongoose' });
  const c = await w.connect(w.pods[0], alice);
  const m = await w.said(w.pods[1], bob, chatId, 'from parley');
  await c.has(m._id);
  const res = await history(w.pods[0], alice, chatId);
  assert.deepEqual(res.json.messages.map((x) => x._id), [m._id, message._id.toString()]);
  assert.equal(res.json.messages[1].textMessage, 'from mongoose');
  assert.equal((await add(w.pods[0], alice, chatId, carol)).status, 200);
  assert.equal((await remove(w.pods[0], alice, chatId, bob)).status, 200);
  const after = await w.LooseChat.findById(chatId).lean();
  assert.deepEqual([after.name, after.avatar, after.isGroup, after.createdAt], ['Theirs', { url: 'x', sizes: [1, 2] }, true, chat.createdAt]);
  assert.deepEqual(after.participants.map(String), [alice, carol]);
  assert.equal(after.participants[1]._bsontype, 'ObjectId');
});
