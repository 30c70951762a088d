// Pods that share rooms over sharded channels listen to the rooms they have sockets in, from before the socket hears
// of them until the last one leaves. docs/PROTOCOL.md, section 6; contract 1.2.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 2, env: { SOCKETIO_ADAPTER: 'redis-sharded' } });

// How many pods listen to the room.
const listeners = async (room) => (await w.redis.call('PUBSUB', 'SHARDNUMSUB', `socket.io#/#${room}#`))[1];
const until = (room, n) => waitFor(async () => await listeners(room) === n, 10_000, `${n} pods listen to ${room}`);

test('a pod listens to a room from its first socket to its last', { timeout: 30_000 }, async () => {
  const [alice, bob, carol] = [objectId(), objectId(), objectId()];
  const chat = await w.chat(alice, bob);
  const foreign = await w.chat(carol, objectId());
  assert.equal(await listeners(chat), 0);

  const phone = await w.connect(w.pods[0], alice);
  assert.deepEqual([await listeners(chat), await listeners(`user:${alice}`)], [1, 1], 'when the client is told connect');
  const laptop = await w.connect(w.pods[0], alice);
  const other = await w.connect(w.pods[1], bob);
  assert.deepEqual([await listeners(chat), await listeners(`user:${alice}`), await listeners(`user:${bob}`)], [2, 1, 1]);

  // Whoever is put into a chat hears it: their pod listens when the answer comes.
  const res = await api(w.pods[0], 'POST', `/api/chats/${foreign}/participants`, { token: token(carol), body: { userId: bob } });
  assert.equal(res.status, 200, res.body);
  assert.equal(await listeners(foreign), 1);
  const message = await w.said(w.pods[0], carol, foreign, 'to the other pod');
  await other.has(message._id);

  phone.close();
  await w.present(alice, laptop.id);
  assert.equal(await listeners(chat), 2, 'one of two has left');
  laptop.close();
  await until(chat, 1);
  await until(`user:${alice}`, 0);
  other.close();
  for (const room of [chat, foreign, `user:${bob}`]) await until(room, 0);
  const left = await w.redis.call('PUBSUB', 'SHARDCHANNELS', 'socket.io#/#*');
  assert.deepEqual(left.filter((c) => !/^socket\.io#\/#([0-9a-f]{16}#)?$/.test(c)), [], 'each pod has its own channel, and all have one');
});

// Where nobody else of the chat is on the pod, its channel is given up and opened again with each connection.
test('nothing is lost while a room appears', { timeout: 60_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chat = await w.chat(alice, bob);
  const client = await w.connect(w.pods[1], bob);
  let over = false;
  const said = [];
  const talk = (async () => {
    while (!over) said.push(await w.said(w.pods[0], alice, chat, `t${said.length}`));
  })();
  try {
    for (let i = 1; i <= 15; i++) {
      await client.got(client.messages.length + 2);
      client.drop();
      await waitFor(() => client.connects === i + 1, 10_000, `connection ${i + 1}`);
    }
  } finally {
    over = true;
    await talk;
  }
  await client.has(said.at(-1)._id);
  assert.deepEqual(client.ids(), said.map((m) => m._id), 'every message, in order, once');
});
