// A connection breaks and its client comes back: it gets exactly what it missed, on any pod, whatever the
// user's other devices do. Contract 7.3. Only socket.io-client 4.6 and newer says what it had.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metric } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { sleep, waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

let gated;
let plain;
const w = useWorld({ pods: 2 }, async () => {
  gated = await w.gate([{ port: new URL(w.pods[0].url).port }]);
  plain = await w.pod({ RECOVERY_WINDOW: 0 });
});
const gateUrl = () => `http://127.0.0.1:${gated.port}`;

// Two people who talk, and the second one's other device, which always stays online.
async function company({ pod = 0, url, ...options } = {}) {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const other = await w.connect(w.pods[1], bob);
  const phone = await w.connect(w.pods[pod], bob, { url, ...options });
  return { alice, bob, chatId, other, phone };
}

// The next connection goes to another address.
const moveTo = (client, pod) => { client.socket.io.uri = pod.url; };

// Comes back by itself, and says whether the session went on.
async function backAgain(client, connects = 2) {
  await waitFor(() => client.connects >= connects && client.socket.connected, 10_000, `connect number ${connects}`);
  return client.socket.recovered;
}

// Breaks the connection and holds the client back until it is let go; it comes back to a session that was left.
function holdBack(client) {
  client.socket.io.reconnection(false);
  client.drop();
  return async () => {
    await waitFor(() => w.redis.exists(`parley:session:${client.socket._pid}`), 10_000, 'the old socket to leave word');
    client.socket.io.reconnection(true);
    client.socket.connect();
  };
}

const ids = (messages) => messages.map((m) => m._id);

test('a new_message is one argument; its id follows as the offset, and nothing where recovery is off', { timeout: 20_000 }, async () => {
  // A pod that has just come does not know yet how far it has heard the others.
  await waitFor(async () => await metric(w.pods[0], 'parley_heard_behind_seconds') < 15, 10_000, 'the others to be heard');
  const { alice, bob, chatId, phone } = await company();
  const bare = await w.connect(plain, bob);
  const sent = await w.said(w.pods[0], alice, chatId, 'hello');
  const mark = await w.settle(w.pods[0], alice, chatId, phone, bare);
  await waitFor(() => phone.offsets.length === 2, 5_000, 'two offsets');
  for (const c of [phone, bare]) assert.deepEqual(c.calls.map((args) => args.length), [1, 1]);
  assert.deepEqual(phone.offsets.map((o) => o.split('.')[0]), [sent._id, mark._id]);
  for (const o of phone.offsets) { // and up to when its pod had heard all
    const behind = Date.parse(mark.createdAt) - parseInt(o.split('.')[1], 36);
    assert.ok(behind > -2_000 && behind < 20_000, o);
  }
  assert.deepEqual(bare.offsets, []);
  assert.equal(typeof phone.socket._pid, 'string');
  assert.equal(bare.socket._pid, undefined);
});

for (const transports of [['websocket'], ['polling']]) {
  for (const to of [0, 1]) {
    test(`${transports[0]}: dropped while another device stays: what was missed comes once, on ${to ? 'another' : 'the same'} pod`, { timeout: 20_000 }, async () => {
      const { alice, chatId, phone, other } = await company({ transports });
      const first = await w.said(w.pods[1], alice, chatId, 'before');
      await Promise.all([phone.has(first._id), other.has(first._id)]);
      if (transports[0] === 'polling') await phone.ask('typing', {});
      const letGo = holdBack(phone);
      const missed = [await w.said(w.pods[0], alice, chatId, 'one')];
      await other.has(missed[0]._id); // the other pod has heard it, and its own does not overtake it
      missed.push(await w.said(w.pods[1], alice, chatId, 'two'));
      moveTo(phone, w.pods[to]);
      await letGo();
      assert.equal(await backAgain(phone), true, 'recovered');
      const mark = await w.settle(w.pods[0], alice, chatId, phone, other);
      assert.deepEqual(phone.ids(), [first._id, ...ids(missed), mark._id]);
      assert.deepEqual(other.ids(), [first._id, ...ids(missed), mark._id]);
    });
  }
}

test('nothing had come before the connection broke', { timeout: 20_000 }, async () => {
  const { alice, chatId, phone } = await company();
  const letGo = holdBack(phone);
  const missed = await w.said(w.pods[1], alice, chatId, 'missed');
  await letGo();
  assert.equal(await backAgain(phone), true);
  const mark = await w.settle(w.pods[0], alice, chatId, phone);
  assert.deepEqual(phone.ids(), [missed._id, mark._id]);
});

test('the network goes silent: the server does not know yet that the old socket is dead', { timeout: 30_000 }, async () => {
  const { alice, bob, chatId, phone, other } = await company({ url: gateUrl() });
  const first = await w.said(w.pods[0], alice, chatId, 'before');
  await phone.has(first._id);
  gated.freeze();
  const missed = [];
  for (let i = 0; i < 5; i++) missed.push(await w.said(w.pods[i % 2], alice, chatId, `m${i}`));
  await other.has(missed[4]._id);
  assert.equal((await w.sockets(bob)).length, 2, 'the dead socket still counts');
  moveTo(phone, w.pods[1]);
  phone.drop();
  assert.equal(await backAgain(phone), true);
  const mark = await w.settle(w.pods[0], alice, chatId, phone, other);
  assert.deepEqual(phone.ids(), [first._id, ...ids(missed), mark._id]);
  await w.present(bob, phone.id, other.id); // the dead one was told to go
  assert.deepEqual(other.named('user_offline'), []);
});

test('coming and going between two pods in a stream of posts: each message once', { timeout: 60_000 }, async () => {
  const { alice, chatId, phone, other } = await company();
  let going = true;
  const posted = [];
  const posts = Promise.all([0, 1].map(async (p) => {
    for (let i = 0; going; i++) posted.push(await w.said(w.pods[p], alice, chatId, `p${p}-${i}`));
  }));
  for (let round = 1; round <= 25; round++) {
    moveTo(phone, w.pods[round % 2]);
    phone.drop();
    assert.equal(await backAgain(phone, round + 1), true, `recovered in round ${round}`);
    await sleep(round * 4);
  }
  going = false;
  await posts;
  await Promise.all([phone, other].map((c) => waitFor(() => new Set(c.ids()).size === posted.length, 10_000, () => `${posted.length} messages; ${c.ids().length}`)));
  await w.settle(w.pods[0], alice, chatId, phone, other);
  for (const c of [phone, other]) assert.deepEqual(c.ids().slice(0, -1).sort(), ids(posted).sort());
});

test('a pod is killed: its clients get what they missed on another', { timeout: 30_000 }, async () => {
  const doomed = await w.pod();
  const { alice, chatId, phone } = await company({ url: doomed.url });
  const first = await w.said(w.pods[1], alice, chatId, 'before');
  await phone.has(first._id);
  await sleep(300); // what was stored within 250 ms of it might come again: nobody is left who knows
  moveTo(phone, w.pods[0]);
  await doomed.program.kill();
  const missed = await w.said(w.pods[1], alice, chatId, 'missed');
  await backAgain(phone);
  const mark = await w.settle(w.pods[0], alice, chatId, phone);
  assert.deepEqual(phone.ids(), [first._id, missed._id, mark._id]);
});

test('ended on purpose: what was missed comes, but the session is a new one, as with Node', { timeout: 20_000 }, async () => {
  const { alice, chatId, phone } = await company();
  const first = await w.said(w.pods[0], alice, chatId, 'before');
  await phone.has(first._id);
  phone.socket.disconnect();
  const missed = await w.said(w.pods[0], alice, chatId, 'missed');
  phone.socket.connect();
  assert.equal(await backAgain(phone), false);
  const mark = await w.settle(w.pods[0], alice, chatId, phone);
  assert.deepEqual(phone.ids(), [first._id, missed._id, mark._id]);
});

test('removed from the chat meanwhile: nothing of it is sent any more', { timeout: 20_000 }, async () => {
  const { alice, bob, chatId, phone } = await company();
  const first = await w.said(w.pods[0], alice, chatId, 'before');
  await phone.has(first._id);
  const letGo = holdBack(phone);
  await w.said(w.pods[0], alice, chatId, 'unseen');
  await w.Chat.updateOne({ _id: chatId }, { $pull: { participants: bob } });
  const elsewhere = await w.chat(alice, bob);
  await letGo();
  await backAgain(phone);
  const mark = await w.settle(w.pods[0], alice, elsewhere, phone);
  assert.deepEqual(phone.ids(), [first._id, mark._id]);
});

test('a session is its user\'s: another one who names it begins anew', { timeout: 20_000 }, async () => {
  const { alice, chatId, phone } = await company();
  const first = await w.said(w.pods[0], alice, chatId, 'before');
  await phone.has(first._id);
  const letGo = holdBack(phone);
  const missed = await w.said(w.pods[0], alice, chatId, 'missed');
  const thief = await w.connect(w.pods[1], alice, { auth: { token: token(alice), pid: phone.socket._pid, offset: first._id } });
  const mark = await w.settle(w.pods[1], alice, chatId, thief);
  assert.notEqual(thief.socket._pid, phone.socket._pid);
  assert.equal(thief.ids().filter((id) => id === first._id).length <= 1, true);
  await letGo();
  assert.equal(await backAgain(phone), true, 'its own user still recovers it');
  await phone.has(mark._id);
  assert.deepEqual(phone.ids(), [first._id, missed._id, mark._id]);
});

for (const [what, auth] of [['an unknown session', { pid: 'A'.repeat(20), offset: 'x' }], ['one of another kind', { pid: { $ne: null }, offset: ['y'] }], ['a long one', { pid: 'z'.repeat(10_000), offset: 'f'.repeat(24) }]]) {
  test(`${what}: let in as for the first time`, { timeout: 20_000 }, async () => {
    const [alice, bob] = [objectId(), objectId()];
    const chatId = await w.chat(alice, bob);
    const c = await w.connect(w.pods[0], bob, { auth: { token: token(bob), ...auth } });
    const mark = await w.settle(w.pods[0], alice, chatId, c);
    assert.deepEqual(c.ids(), [mark._id]);
    assert.equal(c.socket.recovered, false);
  });
}
