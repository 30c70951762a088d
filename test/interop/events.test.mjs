// Events across pods: the same ones, to the same sockets, with the same contents.
import { before, describe, test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { png, file } from '../e2e/harness/fixtures.mjs';
import { adapter, assert, subjectIsNode, tags, useCluster, waitFor } from './cluster.mjs';
import { damaged, payloads } from './payloads.mjs';

const w = useCluster();

// A client on each pod, of two users who share a chat.
async function pair() {
  const [alice, bob] = [objectId(), objectId()];
  const chat = await w.chat(alice, bob);
  const [onNode, onSubject] = await Promise.all([w.connect(w.node, alice), w.connect(w.subject, bob)]);
  await inRoom(chat, onNode, onSubject);
  return { alice, bob, chat, onNode, onSubject };
}

// The Node original joins rooms some time after connect.
async function inRoom(chat, ...clients) {
  const ids = clients.map((c) => c.id);
  await waitFor(async () => {
    const there = (await w.node.control('fetchSockets', { to: [chat] })).map((s) => s.id);
    return ids.every((id) => there.includes(id));
  }, 5_000, 'everybody in the room');
}

describe(`posts cross (${adapter})`, () => {
  for (const [from, to] of [['node', 'subject'], ['subject', 'node']]) {
    test(`text and file posted on ${from} reach a client of ${to}, the same there and here`, async () => {
      const { alice, chat, onNode, onSubject } = await pair();
      const pod = w[from];
      const m = await w.said(pod, alice, chat, 'ahoj 👋 \u2028 "quoted"');
      const answer = await w.say(pod, alice, chat, 'with a picture', { type: 'image', files: [file('a.png', 'image/png', png())] });
      assert.equal(answer.status, 201, answer.body);
      for (const c of [onNode, onSubject]) await c.got(3);
      assert.deepEqual(onNode.calls, onSubject.calls);
      const [text, picture, after] = onSubject.messages;
      assert.deepEqual(text, { _id: m._id, chatId: chat, senderId: alice, content: 'ahoj 👋 \u2028 "quoted"', createdAt: m.createdAt });
      assert.deepEqual(Object.keys(picture).sort(), ['_id', 'chatId', 'createdAt', 'fileUrl', 'senderId', 'type']);
      assert.equal(picture.type, 'image');
      assert.equal(after.content, 'with a picture');
    });
  }

  test('200 posts of one sender on either pod arrive once and in order on the other', async () => {
    const { alice, bob, chat, onNode, onSubject } = await pair();
    const sender = async (pod, user, prefix) => { for (let i = 0; i < 100; i++) await w.said(pod, user, chat, `${prefix}${i}`); };
    await Promise.all([sender(w.node, alice, 'n'), sender(w.subject, bob, 's')]);
    for (const c of [onNode, onSubject]) {
      await c.got(200);
      for (const prefix of ['n', 's']) {
        assert.deepEqual(c.texts().filter((t) => t[0] === prefix), Array.from({ length: 100 }, (_, i) => `${prefix}${i}`));
      }
      assert.equal(new Set(c.ids()).size, 200);
    }
  });
});

describe(`payloads cross unchanged (${adapter})`, () => {
  // Clients of the sending pod, of another Node pod, and of the pod under test.
  let other;
  before(async () => {
    other = await w.peer();
    await w.joined();
  });

  async function receive(to, args) {
    const clients = await Promise.all([w.node, other, w.subject].map((pod) => w.connect(pod, objectId())));
    await w.node.control('socketsJoin', { rooms: ['payloads'] });
    await w.settled(...clients);
    await w.node.control('emit', { to, event: 'payload', args });
    for (const c of clients) await waitFor(() => c.events.some((e) => e[0] === 'payload'), 5_000, `the payload to ${to.length ? 'a room' : 'everybody'}`);
    return clients.map((c) => { c.close(); return c.events.find((e) => e[0] === 'payload'); });
  }

  // One room, and everybody: two channels in the classic adapter.
  const both = async (check) => { for (const to of [['payloads'], []]) await check(to); };

  for (const [name, args] of Object.entries(payloads)) {
    test(name, () => both(async (to) => {
      const [sender, node, subject] = await receive(to, args);
      assert.deepEqual(subject, node);
      assert.deepEqual(node, sender);
    }));
  }
  test('the order of keys', () => both(async (to) => {
    const [sender, node, subject] = await receive(to, [{ z: 1, a: 2, 10: 'ten', 9: 'nine', m: { y: 1, b: 2 } }]);
    for (const got of [node, subject]) assert.equal(JSON.stringify(got), JSON.stringify(sender));
  }));
  // Node's classic adapter damages these; the others' JSON carries them.
  for (const [name, args] of Object.entries(damaged)) {
    test(`${name}, damaged on the way or not`, () => both(async (to) => {
      const [, node, subject] = await receive(to, args);
      assert.deepEqual(subject, node);
    }));
  }
});

describe(`who is reached (${adapter})`, () => {
  // Four sockets of the pod under test: a alone, b and c in two rooms, d in none.
  async function four() {
    const clients = {};
    for (const name of ['a', 'b', 'c', 'd']) clients[name] = await w.connect(w.subject, objectId());
    const join = (names, room) => w.node.control('socketsJoin', { to: names.map((n) => clients[n].id), rooms: [room] });
    await join(['a', 'c'], 'red');
    await join(['b', 'c'], 'blue');
    await w.settled(...Object.values(clients));
    return clients;
  }

  const cases = [
    ['everybody', {}, 'abcd'],
    ['one room', { to: ['red'] }, 'ac'],
    ['several rooms, each socket once', { to: ['red', 'blue'] }, 'abc'],
    ['a room nobody is in', { to: ['green'] }, ''],
    ['everybody except a room', { except: ['red'] }, 'bd'],
    ['everybody except two rooms', { except: ['red', 'blue'] }, 'd'],
    ['a room except a room', { to: ['red'], except: ['blue'] }, 'a'],
    ['several rooms except a room', { to: ['red', 'blue'], except: ['blue'] }, 'a'],
    ['volatile', { to: ['red'], flags: { volatile: true } }, 'ac'],
    ['compress off', { to: ['red'], flags: { compress: false } }, 'ac'],
    ['local stays on its pod', { flags: { local: true } }, ''],
  ];
  for (const [name, how, expected] of cases) {
    test(name, async () => {
      const clients = await four();
      // A socket that is busy misses a volatile event, so that one may take several.
      for (let tries = how.flags?.volatile ? 20 : 1; tries > 0; tries--) {
        await w.node.control('emit', { ...how, event: 'who', args: [1] });
        await w.settled(...Object.values(clients));
        const reached = Object.entries(clients).flatMap(([n, c]) => tags(c, 'who').map(() => n)).join('');
        if (tries > 1 && reached !== expected) {
          assert.match(reached, new RegExp(`^[${expected}]*$`));
          for (const c of Object.values(clients)) c.events.length = 0;
          continue;
        }
        assert.equal(reached, expected);
        break;
      }
    });
  }

  test('a socket by its id, and everybody except a socket', async () => {
    const clients = await four();
    await w.node.control('emit', { to: [clients.a.id], event: 'who', args: [1] });
    await w.node.control('emit', { except: [clients.a.id], event: 'rest', args: [1] });
    await w.settled(...Object.values(clients));
    const reached = (event) => Object.entries(clients).flatMap(([n, c]) => tags(c, event).map(() => n)).join('');
    assert.deepEqual([reached('who'), reached('rest')], ['a', 'bcd']);
  });

  test('what one pod emits keeps its order', async () => {
    const { a, c } = await four();
    for (let i = 0; i < 200; i++) await w.node.control('emit', { to: i % 3 ? ['red'] : ['red', 'blue'], event: 'n', args: [i] });
    await w.settled(a, c);
    for (const client of [a, c]) assert.deepEqual(tags(client, 'n'), Array.from({ length: 200 }, (_, i) => i));
  });

  test('what Parley tells of its own reaches clients of Node', { skip: subjectIsNode && 'events of Parley' }, async () => {
    const { bob, chat, onNode, onSubject } = await pair();
    // Node leaves out what is volatile while it is still writing something else to the client.
    await waitFor(async () => {
      assert.deepEqual(await onSubject.ask('typing', { chatId: chat, isTyping: true }), { ok: true });
      return onNode.events.some((e) => e[0] === 'typing');
    }, 10_000, 'typing');
    assert.deepEqual(await onNode.saw('typing'), { chatId: chat, userId: bob, isTyping: true });
    assert.deepEqual(await onSubject.ask('typing', { chatId: chat, isTyping: false }), { ok: true });
    await onNode.saw('typing', (e) => e.isTyping === false);
  });
});
