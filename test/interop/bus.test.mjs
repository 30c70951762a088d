// What Parley's bus asks of Node pods and their sockets: remote.test.mjs the other way round. Parley itself
// asks for less than its bus can, so that test/cmd/bus does the asking.
import { describe, test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { adapter, assert, only, sorted, subjectIsNode, tags, useCluster, waitFor } from './cluster.mjs';
import { payloads } from './payloads.mjs';

let bus;
const w = useCluster({ subject: false }, async (cluster) => {
  bus = await cluster.bus();
  await cluster.joined();
});
const room = () => `room-${objectId()}`;

// n sockets of the Node pod, in a room of their own, put there by the bus.
async function group(n, options) {
  const name = room();
  const clients = await Promise.all(Array.from({ length: n }, () => w.connect(w.node, objectId(), options)));
  await bus.control('socketsJoin', { to: clients.map((c) => c.id), rooms: [name] });
  await settled(...clients);
  return { name, clients };
}

// What the bus sent before has come.
async function settled(...clients) {
  const tag = Math.random().toString(36);
  await bus.control('emit', { event: 'marker', args: [tag] });
  await Promise.all(clients.map((c) => c.saw('marker', (t) => t === tag)));
}

const members = async (r, more = {}) => sorted((await bus.control('fetchSockets', { to: [r], ...more })).map((s) => s.id));

describe(`sockets of Node, from Parley (${adapter})`, () => {
  test('socketsJoin, socketsLeave, fetchSockets: by room, by id, with except', async () => {
    const { name, clients: [a, b, c] } = await group(3);
    const [one, two] = [room(), room()];
    // With the streams adapter a question does not go the way of joins and leaves, and Node, unlike Parley,
    // answers it without having read the stream up to there.
    await bus.control('socketsJoin', { to: [name], except: [c.id], rooms: [one, two] });
    await settled(a, b, c);
    assert.deepEqual(await members(one), sorted([a.id, b.id]));
    assert.deepEqual(await members(two), sorted([a.id, b.id]));
    await bus.control('socketsLeave', { to: [b.id], rooms: [one] });
    await settled(a, b, c);
    assert.deepEqual([await members(one), await members(two)], [[a.id], sorted([a.id, b.id])]);
    assert.deepEqual(await members(name, { except: [a.id, b.id] }), [c.id]);
    assert.deepEqual(await members(room()), []);
  });

  test('fetchSockets sees what Node says of a socket', async () => {
    const user = objectId();
    const c = await w.connect(w.node, user, { query: { shape: 'a b' }, extraHeaders: { 'x-test': 'yes' } });
    const [remote] = await bus.control('fetchSockets', { to: [c.id] });
    const [own] = await w.node.control('fetchSockets', { to: [c.id], flags: { local: true } });
    assert.deepEqual({ ...remote, rooms: sorted(remote.rooms), handshake: { ...remote.handshake, sessionStore: undefined } }, { ...own, rooms: sorted(own.rooms), handshake: { ...own.handshake, sessionStore: undefined } });
    assert.deepEqual(remote.data, { userId: user });
  });

  test('allRooms names rooms of Node', { skip: only(adapter === 'redis' || !subjectIsNode, 'a Node pod has no allRooms with this adapter') }, async () => {
    const { name } = await group(1);
    assert.ok((await bus.control('allRooms')).includes(name));
  });

  test('disconnectSockets(false) and (true)', async () => {
    const { name, clients: [a, b, c] } = await group(3);
    await bus.control('disconnectSockets', { to: [name], except: [b.id, c.id], close: false });
    await waitFor(() => a.disconnects.length === 1, 5_000, 'disconnect');
    assert.deepEqual([a.disconnects, a.socket.active], [['io server disconnect'], false]);
    await bus.control('disconnectSockets', { to: [b.id], close: true });
    await waitFor(() => b.disconnects.length === 1, 5_000, 'disconnect');
    await settled(c);
    assert.deepEqual(c.disconnects, []);
  });

  const cases = [
    ['everybody', {}, 'abcd'],
    ['one room', { to: ['red'] }, 'ac'],
    ['several rooms, each socket once', { to: ['red', 'blue'] }, 'abc'],
    ['everybody except a room', { except: ['red'] }, 'bd'],
    ['several rooms except a room', { to: ['red', 'blue'], except: ['blue'] }, 'a'],
    ['a room nobody is in', { to: ['green'] }, ''],
  ];
  for (const [name, how, expected] of cases) {
    test(`emit to ${name}`, async () => {
      const clients = {};
      for (const n of 'abcd') clients[n] = await w.connect(w.node, objectId());
      const tag = objectId();
      const named = (rooms = []) => rooms.map((r) => `${r}-${tag}`);
      await bus.control('socketsJoin', { to: [clients.a.id, clients.c.id], rooms: named(['red']) });
      await bus.control('socketsJoin', { to: [clients.b.id, clients.c.id], rooms: named(['blue']) });
      await settled(...Object.values(clients)); // the sharded adapter has subscribed to the rooms
      await bus.control('emit', { to: named(how.to), except: named(how.except), event: 'who', args: [1] });
      await settled(...Object.values(clients));
      assert.equal(Object.entries(clients).flatMap(([n, c]) => tags(c, 'who').map(() => n)).join(''), expected);
    });
  }
});

describe(`payloads cross from Parley unchanged (${adapter})`, () => {
  // Held to what a second Node pod's clients are given of the same, posted on Node.
  for (const [name, args] of Object.entries(payloads)) {
    test(name, async () => {
      const { name: to, clients: [c] } = await group(1);
      await bus.control('emit', { to: [to], event: 'from:parley', args });
      await settled(c);
      await w.node.control('emit', { to: [to], flags: { local: true }, event: 'from:node', args });
      await waitFor(() => c.events.some((e) => e[0] === 'from:node'), 5_000, 'the same from Node');
      const got = (event) => c.events.find((e) => e[0] === event)?.slice(1);
      assert.deepEqual(got('from:parley'), got('from:node'));
    });
  }
});

describe(`questions from Parley (${adapter})`, () => {
  const answering = (client, answer) => client.socket.on('ask', (...args) => args.at(-1)(answer(...args.slice(0, -1))));

  test('sockets of Node answer a broadcast, whatever they say', async () => {
    for (const answer of ['text', 7, null, { raw: Buffer.from('00fe', 'hex') }, [1, [2]], false]) {
      const { name, clients } = await group(2);
      clients.forEach((c) => answering(c, () => answer));
      const { responses } = await bus.control('emitWithAck', { to: [name], flags: { timeout: 3_000 }, event: 'ask', args: [{ raw: Buffer.from('01') }] });
      assert.deepEqual(responses, [answer, answer]);
    }
  });

  test('who does not answer in time is named by an error, the others are not lost', async () => {
    const { name, clients: [a, b] } = await group(2);
    answering(a, () => 'here');
    b.socket.on('ask', () => {});
    const result = await bus.control('emitWithAck', { to: [name], flags: { timeout: 3_000 }, event: 'ask', args: [1] });
    assert.deepEqual(result, { message: 'operation has timed out', responses: ['here'] });
  });

  test('serverSideEmit, both ways, without ack', async () => {
    const args = ['x', { n: [1, null], z: 1, a: 2 }];
    await bus.control('serverSideEmit', { event: 'peer:tell', args });
    const there = await waitFor(async () => { const h = await w.node.control('heard'); return h.length && h; }, 5_000, 'the event on Node');
    assert.deepEqual(there, [['peer:tell', ...args]]);
    await w.node.control('serverSideEmit', { event: 'peer:tell', args });
    const here = await waitFor(async () => { const h = await bus.control('heard'); return h.length && h; }, 5_000, 'the event on Parley');
    assert.deepEqual(here, [['peer:tell', ...args]]);
    assert.equal(JSON.stringify(here), JSON.stringify(there));
  });

  test('serverSideEmit with ack, both ways: every pod answers', async () => {
    const other = await w.peer();
    await w.joined();
    const from = (result) => { assert.equal(result.message, undefined, JSON.stringify(result)); return sorted(result.responses.map((r) => r.from)); };
    const ours = await bus.control('serverSideEmitWithAck', { event: 'peer:ask', args: [{ q: 1 }, 'two'] });
    assert.deepEqual(from(ours), sorted([w.node, other].map((p) => `node-${p.program.pid}`)));
    for (const r of ours.responses) assert.deepEqual(r.args, [{ q: 1 }, 'two']);
    const theirs = await w.node.control('serverSideEmitWithAck', { event: 'peer:ask', args: [{ q: 2 }] });
    assert.deepEqual(from(theirs), sorted([`node-${other.program.pid}`, `${subjectIsNode ? 'node' : 'bus'}-${bus.program.pid}`]));
    for (const r of theirs.responses) assert.deepEqual(r.args, [{ q: 2 }]);
    for (const asker of [bus, w.node]) {
      const silent = await asker.control('serverSideEmitWithAck', { event: 'nobody:listens', args: [1] });
      assert.deepEqual(silent.responses, []);
      assert.match(silent.message, /time/);
    }
    assert.equal((await other.program.stop()).code, 0);
    await w.joined();
  });

  test('the pods are counted alike', async () => {
    assert.deepEqual([await bus.control('serverCount'), await w.node.control('serverCount')], [2, 2]);
  });
});
