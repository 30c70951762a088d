// From POST to socket: what is posted arrives, once, in order, as the contract spells it. Contract 1, 2 and 7.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libs, transportSets } from './harness/clients.mjs';
import { file, mp3, mp4, png, svg, wav } from './harness/fixtures.mjs';
import { post, postParts } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 2 });
const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const hex = /^[0-9a-f]{24}$/;

// What a text message must look like to a client, from what REST said about it.
const asPayload = (m) => ({ _id: m._id, chatId: m.chatId, senderId: m.senderId, content: m.textMessage, createdAt: m.createdAt });

test('a text: payload, answer and document say the same', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const a = await w.connect(w.pods[0], alice);
  const b = await w.connect(w.pods[1], bob);
  const before = Date.now();
  const res = await w.say(w.pods[0], alice, chatId, 'hello');
  const after = Date.now();
  assert.equal(res.status, 201, res.body);
  assert.match(res.headers.get('content-type'), /^application\/json/);
  assert.deepEqual(Object.keys(res.json), ['messages']);
  const [m, ...rest] = res.json.messages;
  assert.equal(rest.length, 0);
  assert.deepEqual(Object.keys(m).filter((k) => k !== '__v').sort(), ['_id', 'chatId', 'createdAt', 'senderId', 'textMessage', 'type', 'updatedAt']);
  assert.deepEqual([m.chatId, m.senderId, m.type, m.textMessage], [chatId, alice, 'text', 'hello']);
  assert.match(m._id, hex);
  assert.match(m.createdAt, isoDate);
  assert.ok(Date.parse(m.createdAt) >= before - 1 && Date.parse(m.createdAt) <= after + 1);

  for (const c of [a, b]) {
    await c.got(1);
    assert.deepEqual(c.messages, [asPayload(m)]);
    const [payload, ...more] = c.calls[0];
    assert.deepEqual(Object.keys(payload).sort(), ['_id', 'chatId', 'content', 'createdAt', 'senderId']);
    assert.deepEqual(more, [], 'one argument');
  }
  const [doc] = await w.connection.collection('messages').find({ chatId: new w.connection.base.Types.ObjectId(chatId) }).toArray();
  assert.deepEqual(JSON.parse(JSON.stringify(doc)), { ...m, __v: 0 });
});

test('files first, in order, then the text; each is a message of its own', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const clients = [await w.connect(w.pods[0], alice), await w.connect(w.pods[1], bob, { transports: ['polling'] })];
  const files = [
    file('a.mp4', 'video/mp4', mp4()), file('b.png', 'image/png', png()), file('c.mp3', 'audio/mpeg', mp3()),
    file('d.png', 'image/png', png(70_000)), file('e.wav', 'audio/wav', wav()), file('f.svg', 'image/svg+xml', svg()),
  ];
  const res = await post(w.pods[0], token(alice), { chatId, text: 'look', type: 'image', files });
  assert.equal(res.status, 201, res.body);
  const stored = res.json.messages;
  assert.deepEqual(stored.map((m) => m.type), ['video', 'image', 'audio', 'image', 'audio', 'image', 'text']);
  for (const c of clients) {
    await c.got(7);
    assert.deepEqual(c.ids(), stored.map((m) => m._id));
    c.messages.slice(0, 6).forEach((m, i) => {
      assert.deepEqual(Object.keys(m).sort(), ['_id', 'chatId', 'createdAt', 'fileUrl', 'senderId', 'type']);
      assert.deepEqual([m.chatId, m.senderId, m.type, m.fileUrl], [chatId, alice, stored[i].type, stored[i].fileUrl]);
      assert.match(m.createdAt, isoDate);
    });
    assert.deepEqual(c.messages[6], asPayload(stored[6]));
  }
  for (const [i, f] of files.entries()) {
    const got = await fetch(new URL(stored[i].fileUrl, w.pods[1].url));
    assert.equal(got.status, 200, stored[i].fileUrl);
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(f.data), f.name);
  }
  assert.equal(new Set(stored.map((m) => m.fileUrl)).size, 7, 'one address for each file');
  assert.deepEqual((await w.stored(chatId)).map((m) => m._id.toString()), stored.map((m) => m._id));
});

test('one file, no text, no type', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const b = await w.connect(w.pods[0], bob);
  const res = await post(w.pods[1], token(alice), { chatId, type: null, files: [file('x.bin', 'application/octet-stream', png())] });
  assert.equal(res.status, 201, res.body);
  assert.deepEqual(res.json.messages.map((m) => m.type), ['image']);
  await b.got(1);
  assert.equal('content' in b.messages[0], false);
});

const texts = {
  umlauts: 'Grüße, Škoda, naïve façade',
  'emoji with joiners': '👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽',
  arabic: 'مرحبا بالعالم',
  'hebrew with direction marks': '\u202Eשלום\u202C (\u2066abc\u2069)',
  'decomposed is not composed': 'e\u0301 \u00e9',
  'beyond the basic plane': '𝒳𠜎🀄',
  markup: '<script>alert(1)</script><img src=x onerror="alert(1)">&amp;',
  'line ends': 'one\ntwo\r\nthree\rfour',
  'line separators of JavaScript': 'a\u2028b\u2029c',
  'spaces around': '  kept as they are\t ',
  controls: 'a\u0001b\u0008c\u001fd\u007f',
  'byte order mark': '\ufeffhello',
  'looks like a packet': '42["new_message",{"_id":"x"}]',
  'looks like an operator': '{"$where":"sleep(1000)"} $gt __proto__ constructor',
  'looks like a boundary': '\r\n------e2eBoundary7MA4YWxkTrZu0gX--\r\n',
  quotes: `"double" 'single' \\ backslash \\u0041 %s %00`,
  zero: '0',
  'the word null': 'null',
};

for (const [transport, transports] of [['websocket', ['websocket']], ['polling', ['polling']]]) {
  test(`texts arrive byte for byte over ${transport}`, { timeout: 30_000 }, async () => {
    const [alice, bob] = [objectId(), objectId()];
    const chatId = await w.chat(alice, bob);
    const b = await w.connect(w.pods[1], bob, { transports });
    const names = Object.keys(texts);
    for (const name of names) {
      const res = await postParts(w.pods[0], token(alice), [{ name: 'chatId', value: chatId }, { name: 'textMessage', value: texts[name] }, { name: 'type', value: 'text' }]);
      assert.equal(res.status, 201, `${name}: ${res.body}`);
      assert.equal(res.json.messages[0].textMessage, texts[name], name);
    }
    await b.got(names.length);
    assert.deepEqual(b.texts(), names.map((n) => texts[n]));
    assert.deepEqual((await w.stored(chatId)).map((m) => m.textMessage), names.map((n) => texts[n]));
  });

  test(`100 kB of text over ${transport}, on the same pod and across`, { timeout: 20_000 }, async () => {
    const [alice, bob] = [objectId(), objectId()];
    const chatId = await w.chat(alice, bob);
    const text = 'Ä€🙂x'.repeat(10_000);
    assert.equal(Buffer.byteLength(text), 100_000);
    const clients = [await w.connect(w.pods[0], bob, { transports }), await w.connect(w.pods[1], bob, { transports })];
    await w.said(w.pods[0], alice, chatId, text);
    for (const c of clients) {
      await c.got(1);
      assert.equal(c.messages[0].content, text);
    }
  });
}

for (const lib of libs) {
  test(`${lib}: three devices of a user on two pods and every transport, both ways`, { timeout: 20_000 }, async () => {
    const [alice, bob] = [objectId(), objectId()];
    const chatId = await w.chat(alice, bob);
    const devices = await Promise.all([
      w.connect(w.pods[0], bob, { lib, transports: transportSets.websocket }),
      w.connect(w.pods[1], bob, { lib, transports: transportSets.polling }),
      w.connect(w.pods[1], bob, { lib, transports: transportSets.upgrade }),
    ]);
    await w.present(bob, ...devices.map((c) => c.id));
    const own = await w.connect(w.pods[1], alice, { lib });
    const sent = [];
    for (let i = 0; i < 20; i++) sent.push((await w.said(w.pods[i % 4 < 2 ? 0 : 1], i % 2 ? alice : bob, chatId, `m${i}`))._id);
    await waitFor(() => devices[2].transport === 'websocket', 10_000, 'the upgrade on the way');
    for (const c of [...devices, own]) {
      await c.got(20);
      await w.settle(w.pods[0], alice, chatId, c);
      assert.deepEqual([...new Set(c.ids())].length, c.ids().length, 'twice');
      assert.deepEqual(c.ids().filter((id) => sent.includes(id)).sort(), [...sent].sort());
    }
  });
}

test('nothing is lost while a transport is upgraded', { timeout: 30_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  // The upgrade is over before one can look, so the WebSocket is held back until the first post is there.
  const gates = await Promise.all(w.pods.map((p) => w.gate([{ port: new URL(p.url).port }])));
  for (let round = 0; round < 15; round++) {
    const release = gates[round % 2].holdUpgrades();
    const c = await w.connect(w.pods[round % 2], bob, { url: `http://127.0.0.1:${gates[round % 2].port}`, transports: transportSets.upgrade });
    const sent = [(await w.said(w.pods[0], alice, chatId, 'before'))._id];
    release();
    while (c.transport !== 'websocket' && sent.length < 200) sent.push((await w.said(w.pods[0], alice, chatId, 'during'))._id);
    for (let i = 0; i < 3; i++) sent.push((await w.said(w.pods[1], alice, chatId, 'after'))._id);
    assert.deepEqual([c.firstTransport, c.transport], ['polling', 'websocket']);
    await c.got(sent.length);
    await w.settle(w.pods[0], alice, chatId, c);
    assert.deepEqual([...new Set(c.ids())].length, c.ids().length, 'twice');
    assert.deepEqual(sent.filter((id) => !c.ids().includes(id)), []);
    c.close();
    await w.present(bob);
  }
});

test('a client that has seen connect misses nothing: 50 rounds of connecting into a stream of posts', { timeout: 120_000 }, async () => {
  const alice = objectId();
  let counted = 0;
  for (let round = 0; round < 50; round++) {
    const bob = objectId();
    const chats = await w.Chat.insertMany(Array.from({ length: 10 }, () => ({ participants: [alice, bob] })));
    const chatId = chats[round % 10]._id.toString();
    const posted = [];
    const running = [];
    const send = async (pod) => {
      const seen = c.connects > 0;
      const m = await w.said(pod, alice, chatId, 'x');
      posted.push({ id: m._id, seen });
    };
    const c = w.client(w.pods[round % 2], bob, { lib: libs[round % 3], transports: round % 5 === 4 ? ['polling'] : ['websocket'] });
    // One post leaves in the very tick in which the client sees connect.
    c.socket.on('connect', () => running.push(send(w.pods[(round + 1) % 2]), send(w.pods[round % 2])));
    for (let after = 0; after < 2;) {
      const seen = c.connects > 0;
      await send(w.pods[posted.length % 2]);
      if (seen) after++;
      assert.ok(posted.length < 500, 'never connected');
    }
    await Promise.all(running);
    const due = posted.filter((p) => p.seen).map((p) => p.id);
    assert.ok(due.length >= 4);
    counted += due.length;
    await waitFor(() => due.every((id) => c.ids().includes(id)), 5_000, () => `round ${round}: ${due.filter((id) => !c.ids().includes(id)).length} of ${due.length} lost`);
    assert.equal(new Set(c.ids()).size, c.ids().length, `round ${round}: twice`);
    assert.ok(c.ids().every((id) => posted.some((p) => p.id === id)));
    c.close();
  }
  assert.ok(counted >= 200);
});

test('who takes no part gets nothing, and a chat does not leak into another', { timeout: 20_000 }, async () => {
  const [alice, bob, eve] = [objectId(), objectId(), objectId()];
  const secret = await w.chat(alice, bob);
  const shared = await w.chat(alice, bob, eve);
  const outsiders = await Promise.all(w.pods.map((pod) => w.connect(pod, eve)));
  const insider = await w.connect(w.pods[0], bob);
  for (let i = 0; i < 10; i++) await w.said(w.pods[i % 2], i % 3 ? alice : bob, secret, `secret ${i}`);
  const marks = [await w.settle(w.pods[0], alice, shared, ...outsiders), await w.settle(w.pods[1], alice, shared, ...outsiders)];
  await insider.got(12);
  for (const c of outsiders) assert.deepEqual(c.ids().sort(), marks.map((m) => m._id).sort());
});

test('users whose ids are not ObjectIds', { timeout: 20_000 }, async () => {
  const [alice, bob] = [`user-${objectId()}`, `böb ${objectId()}`];
  const chatId = await w.chat(alice, bob);
  const b = await w.connect(w.pods[1], bob);
  await w.present(bob, b.id);
  const m = await w.said(w.pods[0], alice, chatId, 'hi');
  await b.got(1);
  assert.deepEqual(b.messages, [asPayload(m)]);
  assert.equal(m.senderId, alice);
  const [doc] = await w.connection.collection('messages').find({ chatId: new w.connection.base.Types.ObjectId(chatId) }).toArray();
  assert.equal(doc.senderId, alice);
});

test('a user of 24 hex digits matches an ObjectId and the same string', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const { insertedId } = await w.connection.collection('chats').insertOne({ participants: [alice, new w.connection.base.Types.ObjectId(bob)], topic: { kept: true }, createdAt: new Date(), updatedAt: new Date() });
  const chatId = insertedId.toString();
  const clients = [await w.connect(w.pods[0], alice), await w.connect(w.pods[1], bob)];
  await w.said(w.pods[0], alice, chatId, 'one');
  await w.said(w.pods[1], bob, chatId, 'two');
  for (const c of clients) {
    await c.got(2);
    assert.deepEqual(c.texts().sort(), ['one', 'two']);
  }
});

test('one post to a chat with many sockets reaches each once', { timeout: 60_000 }, async () => {
  const users = Array.from({ length: 40 }, objectId);
  const chatId = await w.chat(...users);
  const clients = [];
  for (const [i, u] of users.entries()) clients.push(await w.connect(w.pods[i % 2], u, { lib: libs[i % 3] }));
  const m = await w.said(w.pods[0], users[0], chatId, 'to all');
  await Promise.all(clients.map((c) => c.got(1)));
  await w.settle(w.pods[1], users[0], chatId, ...clients);
  for (const c of clients) assert.equal(c.ids().filter((id) => id === m._id).length, 1);
});
