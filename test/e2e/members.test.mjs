// Who is removed from a chat, or added to it, while their client is away or on its way in, is sent what was said
// while they took part, and nothing else. Contract 7.6.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, test } from 'node:test';
import { libs } from './harness/clients.mjs';
import { api } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

let slow; // a pod whose look at the messages can be held up
let hold;
const w = useWorld({ pods: 2 }, async () => {
  const port = await heldUp();
  slow = await w.pod({ MONGODB_URI: `mongodb://127.0.0.1:${port}/chat` });
});

// Stands before the database; after hold() what asks for messages waits until the function that returns is called.
let server;
after(() => server.close());
async function heldUp() {
  let waits;
  let asked;
  hold = () => {
    let release;
    waits = new Promise((resolve) => { release = () => { waits = undefined; resolve(); }; });
    return { release, asked: new Promise((resolve) => { asked = resolve; }) };
  };
  server = net.createServer((client) => {
    const upstream = net.connect(w.mongod.port, '127.0.0.1');
    upstream.pipe(client);
    client.on('data', async (bytes) => {
      if (!waits || !bytes.includes('find') || !bytes.includes('createdAt')) return upstream.write(bytes);
      client.pause();
      asked();
      await waits;
      upstream.write(bytes);
      client.resume();
    });
    for (const s of [client, upstream]) s.on('error', () => {}).once('close', () => { client.destroy(); upstream.destroy(); });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return server.address().port;
}

async function move(pod, method, by, chatId, user) {
  const res = await api(pod, method, `/api/chats/${chatId}/participants${method === 'DELETE' ? `/${user}` : ''}`, {
    token: token(by), body: method === 'POST' ? { userId: user } : undefined,
  });
  assert.equal(res.status, 200, res.body);
}
const add = (pod, by, chatId, user) => move(pod, 'POST', by, chatId, user);
const remove = (pod, by, chatId, user) => move(pod, 'DELETE', by, chatId, user);

for (const lib of libs) {
  test(`${lib}: removed and added again while away`, { timeout: 40_000 }, async () => {
    const [alice, bob] = [objectId(), objectId()];
    const [chatId, late] = [await w.chat(alice, bob), await w.chat(alice)];
    const first = await w.connect(w.pods[0], bob, { lib });
    await w.settle(w.pods[0], alice, chatId, first);
    first.close();
    await w.present(bob);
    const say = async (chat, text) => (await w.said(w.pods[0], alice, chat, text))._id;
    const want = [await say(chatId, 'in')];
    await remove(w.pods[0], alice, chatId, bob);
    await say(chatId, 'out');
    await say(late, 'not in yet');
    await remove(w.pods[1], alice, chatId, bob); // once more changes nothing
    await say(chatId, 'still out');
    await add(w.pods[1], alice, chatId, bob);
    await add(w.pods[1], alice, late, bob);
    want.push(await say(chatId, 'in again'), await say(late, 'in'));
    await add(w.pods[0], alice, chatId, bob);
    want.push(await say(chatId, 'still in'));
    const back = await w.connect(w.pods[1], bob, { lib });
    const mark = await w.settle(w.pods[1], alice, chatId, back);
    assert.deepEqual(back.ids(), [...want, mark._id]);
  });
}

test('removed and added again while the connection is broken', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const phone = await w.connect(w.pods[0], bob);
  const before = await w.settle(w.pods[0], alice, chatId, phone);
  phone.socket.io.reconnection(false);
  phone.drop();
  await waitFor(() => w.redis.exists(`parley:session:${phone.socket._pid}`), 10_000, 'the old socket to leave word');
  const missed = await w.said(w.pods[1], alice, chatId, 'in');
  await remove(w.pods[0], alice, chatId, bob);
  await w.said(w.pods[1], alice, chatId, 'out');
  await add(w.pods[0], alice, chatId, bob);
  const again = await w.said(w.pods[1], alice, chatId, 'in again');
  phone.socket.io.uri = w.pods[1].url;
  phone.socket.io.reconnection(true);
  phone.socket.connect();
  await phone.has(again._id);
  const mark = await w.settle(w.pods[1], alice, chatId, phone);
  assert.equal(phone.socket.recovered, true);
  assert.deepEqual(phone.ids(), [before._id, missed._id, again._id, mark._id]);
});

test('left and entered again: a connection that breaks then has had what it was sent before', { timeout: 20_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const phone = await w.connect(w.pods[0], bob);
  const before = await w.settle(w.pods[0], alice, chatId, phone);
  await remove(w.pods[1], alice, chatId, bob);
  await w.said(w.pods[1], alice, chatId, 'out');
  await add(w.pods[1], alice, chatId, bob);
  const again = await w.settle(w.pods[0], alice, chatId, phone);
  phone.drop();
  await waitFor(() => phone.connects === 2 && phone.socket.connected, 10_000, 'it is back');
  const mark = await w.settle(w.pods[0], alice, chatId, phone);
  assert.deepEqual(phone.ids(), [before._id, again._id, mark._id]);
});

test('removed while at the door, and said since: neither the backlog nor what is live reaches them', { timeout: 30_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const [chatId, stays] = [await w.chat(alice, bob), await w.chat(alice, bob)];
  const first = await w.connect(slow, bob);
  await w.settle(slow, alice, chatId, first);
  first.close();
  await w.present(bob);
  await w.said(w.pods[0], alice, chatId, 'before');
  const other = await w.said(w.pods[0], alice, stays, 'another chat');
  const { release, asked } = hold();
  const back = w.client(slow, bob);
  await asked; // its chats are looked up, its backlog is not
  await remove(w.pods[0], alice, chatId, bob);
  await w.said(w.pods[0], alice, chatId, 'since');
  release();
  await back.connected();
  const mark = await w.settle(w.pods[0], alice, stays, back);
  assert.deepEqual(back.ids(), [other._id, mark._id]);
});

test('removed and added again while at the door: what was said in between does not reach them', { timeout: 30_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const first = await w.connect(slow, bob);
  await w.settle(slow, alice, chatId, first);
  first.close();
  await w.present(bob);
  const before = await w.said(w.pods[0], alice, chatId, 'before');
  const { release, asked } = hold();
  const back = w.client(slow, bob);
  await asked;
  await remove(w.pods[0], alice, chatId, bob);
  await w.said(w.pods[0], alice, chatId, 'out');
  await add(w.pods[0], alice, chatId, bob);
  const again = await w.said(w.pods[0], alice, chatId, 'in again');
  release();
  await back.connected();
  const mark = await w.settle(w.pods[0], alice, chatId, back);
  assert.deepEqual(back.ids(), [before._id, again._id, mark._id]);
});
