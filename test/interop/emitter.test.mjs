// @socket.io/redis-emitter: a process that is no Socket.IO server tells the pods' sockets something.
// It speaks the classic adapter's language alone.
import { after, before, describe, test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { Emitter, Redis } from '../peer/index.mjs';
import { adapter, assert, only, sorted, tags, useCluster, waitFor } from './cluster.mjs';
import { payloads } from './payloads.mjs';

describe('redis-emitter', { skip: only(adapter === 'redis', 'the emitter speaks to the classic adapter') }, () => {
  const w = useCluster();
  let redis;
  let emitter;
  before(() => {
    redis = new Redis(w.redisServer.url);
    emitter = new Emitter(redis);
  });
  after(() => redis?.disconnect());

  async function group(n) {
    const name = `room-${objectId()}`;
    const clients = await Promise.all(Array.from({ length: n }, () => w.connect(w.subject, objectId())));
    emitter.in(clients.map((c) => c.id)).socketsJoin(name);
    await settled(...clients);
    return { name, clients };
  }

  // As Cluster.settled, by way of the emitter's own connection.
  async function settled(...clients) {
    const tag = Math.random().toString(36);
    emitter.emit('marker', tag);
    await Promise.all(clients.map((c) => c.saw('marker', (t) => t === tag)));
  }

  const reached = (clients, event) => clients.map((c) => tags(c, event).length).join('');

  test('everybody, rooms, except, a single socket', async () => {
    const { name, clients: [a, b, c] } = await group(3);
    emitter.in(b.id).socketsJoin(`${name}-2`);
    emitter.emit('all', 1);
    emitter.to(name).emit('room', 1);
    emitter.to([name, `${name}-2`]).emit('rooms', 1);
    emitter.to(name).except(`${name}-2`).emit('except', 1);
    emitter.except(c.id).emit('not-c', 1);
    emitter.to(a.id).emit('only-a', 1);
    emitter.of('/elsewhere').emit('other', 1);
    emitter.to(name).compress(false).emit('plain', 1);
    await settled(a, b, c);
    const all = Object.fromEntries(['all', 'room', 'rooms', 'except', 'not-c', 'only-a', 'other', 'plain'].map((e) => [e, reached([a, b, c], e)]));
    assert.deepEqual(all, {
      all: '111', room: '111', rooms: '111', except: '101', 'not-c': '110', 'only-a': '100', other: '000', plain: '111',
    });
  });

  test('volatile reaches sockets that are not busy', async () => {
    const { name, clients } = await group(2);
    await waitFor(async () => { // one that is busy misses it, so it may take more than one
      emitter.to(name).volatile.emit('volatile', 1);
      await settled(...clients);
      return clients.every((c) => tags(c, 'volatile').length > 0);
    }, 5_000, 'a volatile event');
  });

  for (const [name, args] of Object.entries(payloads)) {
    test(`payload: ${name}`, async () => {
      const clients = await Promise.all([w.node, w.subject].map((pod) => w.connect(pod, objectId())));
      emitter.emit('payload', ...args);
      const [node, subject] = await Promise.all(clients.map((c) => waitFor(() => c.events.find((e) => e[0] === 'payload'), 5_000, 'the payload')));
      assert.deepEqual(subject, node);
    });
  }

  test('socketsJoin, socketsLeave, disconnectSockets, serverSideEmit', async () => {
    const { name, clients: [a, b] } = await group(2);
    emitter.in(a.id).socketsLeave(name);
    emitter.serverSideEmit('nobody:listens', { n: 1 });
    emitter.to(name).emit('left', 1);
    await settled(a, b);
    assert.equal(reached([a, b], 'left'), '01');
    emitter.in(b.id).disconnectSockets();
    await waitFor(() => b.disconnects.length, 5_000, 'disconnect');
    assert.deepEqual([b.disconnects, a.disconnects], [['io server disconnect'], []]);
  });

  test('a message an application emits by itself comes as any other event', async () => {
    const [alice, bob] = [objectId(), objectId()];
    const chat = await w.chat(alice, bob);
    const clients = await Promise.all([w.connect(w.node, alice), w.connect(w.subject, bob)]);
    await waitFor(async () => sorted((await w.node.control('fetchSockets', { to: [chat] })).map((s) => s.id)).join() === sorted(clients.map((c) => c.id)).join(), 5_000, 'both in the room');
    const message = { _id: objectId(), chatId: chat, senderId: alice, content: 'by a job', createdAt: new Date() };
    emitter.to(chat).emit('new_message', message);
    for (const c of clients) {
      await c.got(1);
      assert.deepEqual(c.calls, [[{ ...message, createdAt: message.createdAt.toISOString() }]]);
    }
  });
});
