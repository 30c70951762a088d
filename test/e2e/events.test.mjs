// Events beyond the original: typing, read and delivered receipts, with acks. Contract 8.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libs } from './harness/clients.mjs';
import { objectId } from './harness/models.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
let strict;
const w = useWorld({ pods: 2 }, async () => { strict = await w.pod({ RATE_LIMIT_EVENTS: 3 }); });

for (const lib of libs) {
  test(`${lib}: typing reaches the others in the chat on both pods, and nobody else`, { timeout: 20_000 }, async () => {
    const [alice, bob, carol, eve] = [objectId(), objectId(), objectId(), objectId()];
    const chatId = await w.chat(alice, bob, carol);
    const apart = await w.chat(alice, eve);
    const a = await w.connect(w.pods[0], alice, { lib });
    const others = [await w.connect(w.pods[0], bob, { lib }), await w.connect(w.pods[1], carol, { lib, transports: ['polling'] })];
    const stranger = await w.connect(w.pods[1], eve, { lib });
    // Typing is volatile: a client between two polls may miss one, and a frontend sends it again and again.
    let sent = 0;
    for (const isTyping of [true, false]) {
      await waitFor(async () => {
        assert.deepEqual(await a.ask('typing', { chatId, isTyping }), { ok: true });
        sent++;
        return others.every((c) => c.named('typing').some((e) => e.isTyping === isTyping));
      }, 5_000, `typing ${isTyping}`);
    }
    await waitFor(() => { a.socket.emit('typing', { chatId, isTyping: true }); sent++; return others[0].named('typing').at(-1).isTyping; }, 5_000, 'typing without an ack');
    for (const c of others) {
      for (const e of c.named('typing')) assert.deepEqual(e, { chatId, userId: alice, isTyping: e.isTyping });
      assert.ok(c.named('typing').length <= sent, 'more than was sent');
    }
    await w.settle(w.pods[0], alice, chatId, a, ...others);
    await w.settle(w.pods[0], alice, apart, stranger);
    assert.deepEqual(a.named('typing'), [], 'not to the socket that types');
    assert.deepEqual(stranger.named('typing'), []);
  });
}

test('typing and mark_read refuse what they must, in the ack, and tell nobody', { timeout: 20_000 }, async () => {
  const [alice, bob, eve] = [objectId(), objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const b = await w.connect(w.pods[1], bob);
  const e = await w.connect(w.pods[0], eve);
  const a = await w.connect(w.pods[0], alice);
  const m = await w.said(w.pods[0], alice, chatId, 'hello');
  const refused = async (c, event, data, codes) => {
    const reply = await c.ask(event, data);
    assert.deepEqual([reply.ok, Object.keys(reply).sort()], [false, ['error', 'ok']], JSON.stringify(data));
    assert.deepEqual(Object.keys(reply.error).sort(), ['code', 'message']);
    assert.ok([codes].flat().includes(reply.error.code), `${event} ${JSON.stringify(data)}: ${reply.error.code}`);
  };
  const shapes = [undefined, null, 'text', 7, [], {}, { chatId: null }, { chatId: 'xyz' }, { chatId: { $ne: null } }];
  for (const data of shapes) {
    await refused(a, 'typing', data, ['invalid_body', 'invalid_chat_id']);
    await refused(a, 'mark_read', data, ['invalid_body', 'invalid_chat_id']);
  }
  await refused(a, 'typing', { chatId, isTyping: 'yes' }, 'invalid_body');
  await refused(a, 'mark_read', { chatId, messageId: 'xyz' }, 'invalid_body');
  await refused(a, 'mark_read', { chatId, messageId: objectId() }, 'message_not_found');
  await refused(e, 'typing', { chatId, isTyping: true }, 'not_a_participant');
  await refused(e, 'mark_read', { chatId, messageId: m._id }, ['not_a_participant', 'message_not_found']);
  for (const unknown of ['typing', 'mark_read']) await refused(a, unknown, { chatId: objectId(), isTyping: true, messageId: m._id }, ['not_a_participant', 'chat_not_found', 'message_not_found']);
  await w.settle(w.pods[0], alice, chatId, b);
  assert.deepEqual([b.named('typing'), b.named('message_read')], [[], []]);
  assert.equal(a.connects, 1, 'nobody was thrown out for it');
  assert.equal(e.connects, 1);
});

test('mark_read: the others are told how far', { timeout: 20_000 }, async () => {
  const [alice, bob, eve] = [objectId(), objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const apart = await w.chat(alice, eve);
  const a = [await w.connect(w.pods[0], alice), await w.connect(w.pods[1], alice)];
  const b = await w.connect(w.pods[1], bob);
  const stranger = await w.connect(w.pods[0], eve);
  const m = await w.said(w.pods[0], alice, chatId, 'read me');
  await b.has(m._id);
  assert.deepEqual(await b.ask('mark_read', { chatId, messageId: m._id }), { ok: true });
  for (const c of a) {
    const read = await c.saw('message_read');
    assert.deepEqual({ ...read, at: '' }, { chatId, userId: bob, messageId: m._id, at: '' });
    assert.match(read.at, isoDate);
  }
  await w.settle(w.pods[1], alice, chatId, ...a);
  for (const c of a) assert.equal(c.named('message_read').length, 1);
  await w.settle(w.pods[1], alice, apart, stranger);
  assert.deepEqual(stranger.named('message_read'), []);
});

test('message_delivered: to the sender, one for all who are there, on the same pod and on another', { timeout: 20_000 }, async () => {
  const [alice, bob, carol] = [objectId(), objectId(), objectId()];
  const chatId = await w.chat(alice, bob, carol, objectId());
  const a = await w.connect(w.pods[0], alice);
  const b = await w.connect(w.pods[0], bob);
  const c = await w.connect(w.pods[1], carol);
  const m = await w.said(w.pods[0], alice, chatId, 'there?');
  const d = await a.saw('message_delivered', (e) => e.messageId === m._id);
  assert.deepEqual(Object.keys(d).sort(), ['at', 'chatId', 'messageId', 'userIds']);
  assert.equal(d.chatId, chatId);
  assert.match(d.at, isoDate);
  assert.deepEqual(d.userIds.toSorted(), [bob, carol].sort(), 'neither who is away nor oneself');
  await w.settle(w.pods[0], alice, chatId, a, b, c);
  assert.equal(a.named('message_delivered').filter((e) => e.messageId === m._id).length, 1);
  assert.deepEqual([...b.named('message_delivered'), ...c.named('message_delivered')].filter((e) => e.messageId === m._id), [], 'only to the sender');
});

test('message_delivered: when a recipient who was away comes back', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const a = await w.connect(w.pods[0], alice);
  const m = await w.said(w.pods[0], alice, chatId, 'for later');
  await w.settle(w.pods[0], alice, chatId, a);
  assert.deepEqual(a.named('message_delivered'), []);
  const b = await w.connect(w.pods[1], bob);
  await b.has(m._id);
  const d = await a.saw('message_delivered', (e) => e.messageId === m._id);
  assert.deepEqual([d.chatId, d.userId, d.userIds], [chatId, bob, [bob]], 'userId where it is one, as ever');
});

test('too many events: refused in the ack, counted for the one socket only', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const [a, b] = [await w.connect(strict, alice), await w.connect(strict, bob)];
  const replies = await Promise.all(Array.from({ length: 40 }, () => a.ask('typing', { chatId, isTyping: true })));
  const refused = replies.filter((r) => !r.ok);
  assert.ok(refused.length >= 10, `${refused.length} of 40`);
  for (const r of refused) assert.equal(r.error.code, 'rate_limited');
  assert.ok(replies.some((r) => r.ok));
  assert.deepEqual(await b.ask('typing', { chatId, isTyping: true }), { ok: true });
  assert.equal(a.connects, 1);
  await w.settle(strict, alice, chatId, a, b);
});

test('events nobody knows do no harm', { timeout: 10_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const [a, b] = [await w.connect(w.pods[0], alice), await w.connect(w.pods[0], bob)];
  a.socket.emit('new_message', { _id: 'forged', chatId, content: 'forged' });
  a.socket.emit('user_offline', { userId: bob });
  a.socket.emit('join', chatId);
  a.socket.emit('x'.repeat(1000), Buffer.from([1, 2, 3]));
  assert.deepEqual(await a.ask('typing', { chatId, isTyping: true }), { ok: true });
  await w.settle(w.pods[0], alice, chatId, a, b);
  assert.equal(b.messages.length, 1);
  assert.deepEqual(b.named('user_offline'), []);
});
