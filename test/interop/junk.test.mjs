// Anybody on that Redis can write to the channels. Parley counts what it cannot read and goes on. (A Node
// pod ends on some of it, so none takes part here.)
import { before, after, describe, test } from 'node:test';
import { randomBytes } from 'node:crypto';
import { objectId } from '../e2e/harness/models.mjs';
import { Redis } from '../peer/index.mjs';
import { adapter, assert, subjectIsNode, useCluster, waitFor } from './cluster.mjs';

const utf8 = (v) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v));
const hex = (s) => Buffer.from(s.replaceAll(' ', ''), 'hex');

// Shapes chosen by hand: empty, cut short, of the wrong type, too deep, and lengths that promise too much.
const shapes = [
  Buffer.alloc(0), hex('00'), hex('c0'), hex('c1'), hex('90'), hex('93'), hex('93 a1 78'), hex('93 c0 c0 c0'), hex('93 a1 78 80 80'),
  hex('93 a1 78 82 a4 74 79 70 65 02 a3 6e 73 70 a1 2f 80'), // a packet without data
  hex('93 a1 78 83 a4 74 79 70 65 63 a4 64 61 74 61 c0 a3 6e 73 70 a1 2f 80'), // type 99
  hex('93 a1 78 83 a4 74 79 70 65 02 a4 64 61 74 61 91 01 a3 6e 73 70 a1 2f 81 a5 72 6f 6f 6d 73 07'), // event name 1, rooms 7
  hex('dd ff ff ff ff'), hex('df ff ff ff ff'), hex('db ff ff ff ff 41'), hex('c6 ff ff ff ff 41'), hex('c9 ff ff ff ff 00'), hex('c7 ff'),
  Buffer.alloc(100_000, 0x91), Buffer.alloc(5_000_000, 0x93),
  utf8(''), utf8('null'), utf8('[]'), utf8('{}'), utf8('{'), utf8('"x"'), utf8('7'), utf8('['.repeat(200_000)), utf8('{"a":'.repeat(50_000)),
  ...Array.from({ length: 12 }, (_, type) => utf8({ uid: 'junk', type })),
  ...Array.from({ length: 12 }, (_, type) => utf8({ uid: 7, type, requestId: {}, opts: 7, rooms: 'x', data: 'y', sid: [], close: 'z', packet: 1 })),
  ...Array.from({ length: 12 }, (_, type) => utf8({ uid: 'junk', type, requestId: 'r', opts: { rooms: [1, null, {}], except: [[]], flags: 'f' }, rooms: [{}], data: [], packet: { nsp: '/' } })),
  utf8({ uid: 'junk', type: '2' }), utf8({ uid: 'junk', type: -1 }), utf8({ uid: 'junk', type: 1e300 }), utf8({ __proto__: null, type: 6, data: ['connection', {}] }),
  utf8({ requestId: 'nobody', sockets: [7] }), utf8({ requestId: 'nobody', clientCount: 'many', type: 8 }), utf8({ requestId: 'nobody', type: 9 }),
];

// [how to send, where] for each adapter.
const wires = {
  redis: { send: (r, channel, junk) => r.publish(channel, junk), to: (uid) => ['socket.io#/#', 'socket.io#/#room#', 'socket.io#/##', 'socket.io#/#room', 'socket.io-request#/#', 'socket.io-response#/#', `socket.io-response#/#${uid}#`] },
  'redis-sharded': { send: (r, channel, junk) => r.spublish(channel, junk), to: () => ['socket.io#/#', 'socket.io#/#room#'] },
  'redis-streams': {
    to: () => ['uid', 'nsp', 'type', 'data', 'nothing known'],
    send: (r, field, junk) => r.xadd('socket.io', '*', ...Object.entries({ uid: 'junk', nsp: '/', type: '3', data: '{}', [field]: junk }).flat()),
  },
};

describe(`junk on the channels (${adapter})`, { skip: subjectIsNode && 'it ends a Node pod' }, () => {
  const w = useCluster({ node: false });
  let redis;
  before(() => { redis = new Redis(w.redisServer.url); });
  after(() => redis?.disconnect());

  async function dropped() {
    const text = await (await fetch(`${w.subject.url}/metrics`)).text();
    return text.split('\n').filter((l) => l.startsWith('parley_cluster_dropped_total')).reduce((n, l) => n + Number(l.slice(l.lastIndexOf(' ') + 1)), 0);
  }

  // The channels a pod answers on carry its uid; the pods' own traffic shows it.
  async function uid() {
    const channels = await redis.pubsub('channels', 'socket.io-response#/#*#');
    return channels.map((c) => c.split('#')[2]).find(Boolean) ?? 'abcdef';
  }

  const kinds = {
    'chosen shapes': () => shapes,
    'random bytes': () => Array.from({ length: 300 }, (_, i) => randomBytes(1 + (i * 7) % 400)),
    'random MessagePack arrays of three': () => Array.from({ length: 300 }, () => Buffer.concat([hex('93 a4 6a 75 6e 6b'), randomBytes(60)])),
    'random JSON-like text': () => Array.from({ length: 300 }, () => utf8(`{"uid":"junk","type":${Math.floor(Math.random() * 12)},"${randomBytes(3).toString('latin1')}":${randomBytes(8).toString('latin1')}}`)),
  };
  for (const [name, make] of Object.entries(kinds)) {
    test(`${name}: counted, and the pod goes on`, async () => {
      const [alice, bob] = [objectId(), objectId()];
      const chat = await w.chat(alice, bob);
      const [other, client] = [await w.subjectPod(), await w.connect(w.subject, bob)];
      const before = await dropped();
      const wire = wires[adapter];
      for (const channel of wire.to(await uid())) {
        for (const junk of make()) await wire.send(redis, channel, junk);
      }
      // Through Redis, behind all of it: another pod's message still comes.
      const m = await w.said(other, alice, chat, 'still here');
      await client.has(m._id, 60_000);
      assert.deepEqual([client.disconnects, client.messages.length], [[], 1]);
      const after = await waitFor(async () => { const n = await dropped(); return n > before && n; }, 5_000, 'a count of what was dropped');
      assert.ok(after - before >= 10, `${after - before} counted`);
      assert.equal(w.subject.program.ended, undefined);
      const again = await w.said(w.subject, alice, chat, 'and back');
      await client.has(again._id);
      assert.equal((await other.program.stop()).code, 0);
    });
  }
});
