// What a poll brings of events from a Node pod that hold binary: text and attachments in one payload, the bytes those of Node.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { token } from '../e2e/harness/token.mjs';
import { adapter, assert, useCluster, waitFor } from './cluster.mjs';

const peer = createRequire(new URL('../peer/package.json', import.meta.url));
const parserV3 = peer(join(dirname(createRequire(peer.resolve('socket.io')).resolve('engine.io')), 'parser-v3'));
const v3 = (frames, binary) => new Promise((resolve) => { parserV3.encodePayload(frames.map((data) => ({ type: 'message', data })), binary, resolve); });

const w = useCluster({ env: { ALLOW_EIO3: 'true' } });

async function open(query, connect) {
  const user = objectId();
  const at = (more) => `${w.subject.url}/socket.io/?${new URLSearchParams({ transport: 'polling', ...query, ...more })}`;
  const ask = (url, options) => fetch(url, { signal: AbortSignal.timeout(10_000), ...options });
  const hello = await (await ask(at({ token: token(user) }))).text();
  const url = at({ sid: hello.match(/"sid":"([^"]+)"/)[1] });
  if (connect) await ask(url, { method: 'POST', body: `40{"token":"${token(user)}"}` });
  const poll = async () => {
    const res = await ask(url);
    return { type: res.headers.get('content-type').toLowerCase(), body: Buffer.from(await res.arrayBuffer()) };
  };
  await waitFor(async () => /(^|:)40/.test(hello.slice(1)) || (await poll()).body.includes('40'), 5_000, 'connect');
  return poll;
}

const bytes = Buffer.from([0, 1, 0x1e, 0xff, 0xc3, 0xbc]);
const packets = [
  '2["text","żółw 🐢 \u2028"]',
  '51-["binary","ü 三",{"x":{"_placeholder":true,"num":0}}]', bytes,
  '2["more","é"]',
];

for (const [name, query, type, expected] of [
  ['4', { EIO: '4' }, 'text/plain; charset=utf-8', () => packets.map((p) => (p === bytes ? `b${p.toString('base64')}` : `4${p}`)).join('\x1e')],
  ['3', { EIO: '3' }, 'application/octet-stream', () => v3(packets, true)],
  ['3 with b64=1', { EIO: '3', b64: '1' }, 'text/plain; charset=utf-8', () => v3(packets, false)],
]) {
  test(`text and binary in one payload of Engine.IO ${name} (${adapter})`, async () => {
    const [witness, poll] = [await w.connect(w.subject, objectId()), await open(query, query.EIO === '4')];
    // No poll waits, so that what comes is kept.
    await w.node.control('emit', { event: 'text', args: ['żółw 🐢 \u2028'] });
    await w.node.control('emit', { event: 'binary', args: ['ü 三', { x: bytes }] });
    await w.node.control('emit', { event: 'more', args: ['é'] });
    await w.node.control('emit', { to: [witness.id], event: 'last', args: [1] });
    await witness.saw('last'); // what came before it has been given to everybody
    const got = await poll();
    assert.deepEqual([got.type, got.body.toString('latin1')], [type, Buffer.from(await expected()).toString('latin1')]);
  });
}
