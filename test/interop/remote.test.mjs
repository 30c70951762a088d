// What servers ask of each other about sockets, from Node to the pod under test.
import { describe, test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { adapter, assert, only, sorted, subjectIsNode, tags, useCluster, waitFor } from './cluster.mjs';

const w = useCluster();
const room = () => `room-${objectId()}`;

// n sockets of the pod under test, in a room of their own.
async function group(n, options) {
  const name = room();
  const clients = await Promise.all(Array.from({ length: n }, () => w.connect(w.subject, objectId(), options)));
  await w.node.control('socketsJoin', { to: clients.map((c) => c.id), rooms: [name] });
  await w.settled(...clients);
  return { name, clients };
}

// A socket of the Node pod itself in that room. Node, too, hears its request by way of Redis.
async function ownIn(name) {
  const c = await w.connect(w.node, objectId());
  await w.node.control('socketsJoin', { to: [c.id], rooms: [name] });
  const local = () => w.node.control('fetchSockets', { to: [name], flags: { local: true } });
  await waitFor(async () => (await local()).length === 1, 10_000, 'its own socket in the room');
  return c;
}

describe(`rooms from afar (${adapter})`, () => {
  test('socketsJoin and socketsLeave by room, by id, with except, into several rooms', async () => {
    const { name, clients: [a, b, c] } = await group(3);
    const [one, two] = [room(), room()];
    await w.node.control('socketsJoin', { to: [name], except: [c.id], rooms: [one, two] });
    await w.settled(a, b, c);
    const members = async (r) => sorted((await w.node.control('fetchSockets', { to: [r] })).map((s) => s.id));
    assert.deepEqual(await members(one), sorted([a.id, b.id]));
    assert.deepEqual(await members(two), sorted([a.id, b.id]));
    await w.node.control('socketsLeave', { to: [b.id], rooms: [one] });
    assert.deepEqual([await members(one), await members(two)], [[a.id], sorted([a.id, b.id])]);
    await w.node.control('emit', { to: [one], event: 'x', args: [1] });
    await w.settled(a, b, c);
    assert.deepEqual([a, b, c].map((s) => tags(s, 'x').length), [1, 0, 0]);
  });

  test('disconnectSockets(false): the client stays away', async () => {
    const { name, clients: [a, b] } = await group(2);
    await w.node.control('disconnectSockets', { to: [name], except: [b.id], close: false });
    await waitFor(() => a.disconnects.length === 1, 5_000, 'disconnect');
    assert.deepEqual(a.disconnects, ['io server disconnect']);
    await w.settled(b);
    assert.deepEqual([a.socket.connected, a.socket.active, b.disconnects], [false, false, []]);
  });

  test('disconnectSockets(true): the transport is closed, presence is cleaned', async () => {
    const user = objectId();
    const client = await w.connect(w.subject, user);
    await w.present(user, client.id);
    await w.node.control('disconnectSockets', { to: [client.id], close: true });
    await waitFor(() => client.disconnects.length === 1, 5_000, 'disconnect');
    assert.match(client.disconnects[0], /^(io server disconnect|transport close)$/);
    client.socket.disconnect();
    await w.present(user);
  });

  for (const transports of [['websocket'], ['polling']]) {
    test(`fetchSockets sees a socket as Node describes its own (${transports})`, async () => {
      const user = objectId();
      const options = { transports, query: { shape: 'a b', n: '1' }, extraHeaders: { 'x-test': 'yes' } };
      const chat = await w.chat(user, objectId());
      const [there, here] = [await w.connect(w.subject, user, options), await w.connect(w.node, user, options)];
      const ask = async (c) => (await w.node.control('fetchSockets', { to: [c.id] }))[0];
      const [remote, own] = await waitFor(async () => {
        const both = [await ask(there), await ask(here)];
        return both.every((s) => s?.rooms.includes(chat)) && both;
      }, 5_000, 'both sockets in their room');
      assert.equal(remote.id, there.id);
      assert.deepEqual(own.rooms.filter((r) => r !== here.id), [chat]);
      assert.ok(remote.rooms.includes(there.id) && remote.rooms.includes(chat), `${remote.rooms}`);
      assert.equal(typeof remote.data, 'object');

      const [h, n] = [remote.handshake, own.handshake];
      assert.deepEqual(sorted(Object.keys(h)), sorted(Object.keys(n)));
      for (const key of Object.keys(n)) assert.equal(typeof h[key], typeof n[key], `handshake.${key}`);
      // Node hands every pod the token of each socket. Parley keeps it: nobody asked needs it.
      assert.deepEqual(h.auth, subjectIsNode ? { token: there.socket.auth.token } : {});
      assert.deepEqual(sorted(Object.keys(h.query)), sorted(Object.keys(n.query)));
      assert.deepEqual([h.query.shape, h.query.n, h.query.transport, h.query.EIO], ['a b', '1', n.query.transport, '4']);
      assert.equal(h.headers['x-test'], 'yes');
      assert.equal(h.headers.host, new URL(w.subject.url).host);
      assert.deepEqual([h.xdomain, h.secure], [n.xdomain, n.secure]);
      assert.equal(h.address.replace('::ffff:', ''), n.address.replace('::ffff:', ''));
      assert.ok(Math.abs(h.issued - Date.now()) < 60_000, `issued ${h.issued}`);
      assert.ok(Math.abs(new Date(h.time) - Date.now()) < 60_000, `time ${h.time}`);
      assert.match(h.time, /GMT/);
      assert.match(h.url, /^\/socket\.io\//);
    });
  }

  test('fetchSockets counts the sockets of all pods, and of none', async () => {
    const { name, clients } = await group(3);
    const mine = await ownIn(name);
    assert.deepEqual(sorted((await w.node.control('fetchSockets', { to: [name] })).map((s) => s.id)), sorted([mine, ...clients].map((c) => c.id)));
    assert.deepEqual(await w.node.control('fetchSockets', { to: [room()] }), []);
    assert.deepEqual((await w.node.control('fetchSockets', { to: [name], except: clients.map((c) => c.id) })).map((s) => s.id), [mine.id]);
    assert.deepEqual((await w.node.control('fetchSockets', { to: [name], flags: { local: true } })).map((s) => s.id), [mine.id]);
  });

  test('allRooms names rooms of the pod under test', { skip: only(adapter === 'redis', 'the classic adapter alone asks for rooms') }, async () => {
    const { name } = await group(1);
    assert.ok((await w.node.control('allRooms')).includes(name));
  });
});

describe(`broadcasts with acknowledgements (${adapter})`, () => {
  const answering = (client, answer) => client.socket.on('ask', (...args) => args.at(-1)(answer(...args.slice(0, -1))));

  test('every socket of every pod answers', async () => {
    const { name, clients } = await group(3);
    const mine = await ownIn(name);
    [...clients, mine].forEach((c, i) => answering(c, (x) => ({ i, x, nothing: null, list: [1, 'é'] })));
    const { responses } = await w.node.control('emitWithAck', { to: [name], flags: { timeout: 3_000 }, event: 'ask', args: [{ n: 1.5 }] });
    assert.deepEqual(responses.sort((a, b) => a.i - b.i), [0, 1, 2, 3].map((i) => ({ i, x: { n: 1.5 }, nothing: null, list: [1, 'é'] })));
  });

  test('answers of any kind: a string, a number, null, binary, none', async () => {
    const answers = ['text', 7, null, { raw: Buffer.from('00fe', 'hex') }, [1, [2]], false];
    for (const answer of answers) {
      const { name, clients: [c] } = await group(1);
      answering(c, () => answer);
      const { responses } = await w.node.control('emitWithAck', { to: [name], flags: { timeout: 3_000 }, event: 'ask', args: [1] });
      assert.deepEqual(responses, [answer]);
    }
    const { name, clients: [c] } = await group(1);
    c.socket.on('ask', (x, ack) => ack());
    const { responses } = await w.node.control('emitWithAck', { to: [name], flags: { timeout: 3_000 }, event: 'ask', args: [1] });
    assert.deepEqual(responses, [adapter === 'redis-streams' ? null : undefined]);
  });

  test('binary goes out with a question', async () => {
    const { name, clients: [c] } = await group(1);
    answering(c, (x) => Buffer.isBuffer(x.raw) && x.raw.toString('hex'));
    const { responses } = await w.node.control('emitWithAck', { to: [name], flags: { timeout: 3_000 }, event: 'ask', args: [{ raw: Buffer.from('00fe', 'hex') }] });
    assert.deepEqual(responses, ['00fe']);
  });

  test('who does not answer in time is named by an error, the others are not lost', async () => {
    const { name, clients: [a, b] } = await group(2);
    answering(a, () => 'here');
    b.socket.on('ask', () => {});
    const result = await w.node.control('emitWithAck', { to: [name], flags: { timeout: 3_000 }, event: 'ask', args: [1] });
    assert.deepEqual(result, { message: 'operation has timed out', responses: ['here'] });
  });

  test('nobody there: an empty answer at once', async () => {
    const { responses } = await w.node.control('emitWithAck', { to: [room()], flags: { timeout: 3_000 }, event: 'ask', args: [1] });
    assert.deepEqual(responses, []);
  });

  test('20 questions at a time are told apart', async () => {
    const { name, clients } = await group(2);
    clients.forEach((c) => answering(c, (x) => x * 2));
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => w.node.control('emitWithAck', { to: [name], flags: { timeout: 4_000 }, event: 'ask', args: [i] })));
    assert.deepEqual(all.map((r) => r.responses), Array.from({ length: 20 }, (_, i) => [i * 2, i * 2]));
  });
});

describe(`servers among themselves (${adapter})`, () => {
  test('serverSideEmit without ack disturbs nothing', async () => {
    const client = await w.connect(w.subject, objectId());
    await w.node.control('serverSideEmit', { event: 'peer:tell', args: ['x', { n: [1, null] }, Buffer.from('x')] });
    await w.node.control('serverSideEmit', { event: 'nobody:listens', args: [] });
    await w.settled(client);
    assert.deepEqual(client.disconnects, []);
    if (subjectIsNode) {
      const heard = await waitFor(async () => { const h = await w.subject.control('heard'); return h.length && h; });
      assert.deepEqual(heard[0].slice(0, 3), ['peer:tell', 'x', { n: [1, null] }]);
    }
  });

  test('serverSideEmit with ack: another Node pod answers, and one without a listener is named by the error', async () => {
    // Node's adapter expects an answer of every other pod. A pod whose application does not listen to the
    // event never gives one, be it Node or Parley.
    const other = await w.peer();
    await w.joined();
    const silent = await w.node.control('serverSideEmitWithAck', { event: 'nobody:listens', args: [1] });
    assert.deepEqual(silent.responses, []);
    assert.match(silent.message, /timeout/);
    const result = await w.node.control('serverSideEmitWithAck', { event: 'peer:ask', args: [{ q: 1 }] });
    const from = result.responses.map((r) => r.from);
    assert.ok(from.includes(`node-${other.program.pid}`), JSON.stringify(result));
    assert.deepEqual(result.responses[0].args, [{ q: 1 }]);
    if (subjectIsNode) assert.equal(result.responses.length, 2);
    assert.equal((await other.program.stop()).code, 0);
    await w.joined();
  });

  test('a pod that left is not waited for', async () => {
    const { name, clients: [c] } = await group(1);
    const other = await w.subjectPod();
    await w.joined();
    assert.equal((await other.program.stop()).code, 0);
    await w.joined();
    assert.deepEqual((await w.node.control('fetchSockets', { to: [name] })).map((s) => s.id), [c.id]);
  });
});
