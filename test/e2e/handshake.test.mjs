// Who is let in, and what the others are told. Contract 3.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { createRequire } from 'node:module';
import jwt from 'jsonwebtoken';
import { libs, transportSets } from './harness/clients.mjs';
import { objectId } from './harness/models.mjs';
import { seconds, token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';
import { rawSocket } from './harness/raw.mjs';

const require = createRequire(import.meta.url);
const w = useWorld({ pods: 1 });
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const user = objectId();

const refused = [
  ['no auth at all', undefined, ['token_missing']],
  ['auth null', null, ['token_missing']],
  ['auth without a token', {}, ['token_missing']],
  ['token null', { token: null }, ['token_missing']],
  ['token empty', { token: '' }, ['token_missing']],
  ['token a number', { token: 7 }, ['token_malformed', 'token_missing']],
  ['token an object', { token: { $ne: null } }, ['token_malformed', 'token_missing']],
  ['not a JWT', { token: 'hello' }, ['token_malformed']],
  ['three parts of nonsense', { token: 'a.b.c' }, ['token_malformed']],
  ['claims that are not JSON', { token: `${base64({ alg: 'HS256', typ: 'JWT' })}.bm90IGpzb24.c2ln` }, ['token_malformed', 'token_invalid']],
  ['wrong secret', () => ({ token: token(user, {}, { secret: 'another secret' }) }), ['token_invalid']],
  ['signature cut off', () => ({ token: token(user).replace(/\.[^.]*$/, '.') }), ['token_invalid', 'token_malformed']],
  ['claims changed after signing', () => {
    const [h, , s] = token(user).split('.');
    return { token: `${h}.${base64({ userId: objectId(), exp: seconds(60) })}.${s}` };
  }, ['token_invalid']],
  ['alg none', { token: `${base64({ alg: 'none', typ: 'JWT' })}.${base64({ userId: user })}.` }, ['token_invalid']],
  ['alg None, oddly spelled', { token: `${base64({ alg: 'NoNe', typ: 'JWT' })}.${base64({ userId: user })}.` }, ['token_invalid', 'token_malformed']],
  ['RS256', () => ({ token: jwt.sign({ userId: user }, privateKey, { algorithm: 'RS256' }) }), ['token_invalid']],
  ['HS512 with the right secret', () => ({ token: token(user, {}, { algorithm: 'HS512' }) }), ['token_invalid']],
  ['expired', () => ({ token: token(user, { exp: seconds(-10) }) }), ['token_expired']],
  ['not yet valid', () => ({ token: token(user, { nbf: seconds(600) }) }), ['token_invalid']],
  ['no userId', () => ({ token: token(undefined, { sub: user }) }), ['token_invalid']],
  ['userId empty', () => ({ token: token('') }), ['token_invalid']],
  ['userId null', () => ({ token: token(null) }), ['token_invalid']],
  ['userId an object', () => ({ token: token({ $ne: null }) }), ['token_invalid']],
  ['userId an array', () => ({ token: token([user]) }), ['token_invalid']],
  ['userId of 10 kB', () => ({ token: token('x'.repeat(10_000)) }), ['token_invalid', 'token_malformed']],
];

// What pods tell each other all the time is nobody's handshake.
const keys = async () => (await w.redis.keys('*')).filter((k) => k !== 'parley:marks').sort();

for (const lib of libs) {
  for (const [transport, transports] of Object.entries(transportSets)) {
    test(`${lib} over ${transport}: every bad token is refused by its code`, { timeout: 30_000 }, async () => {
      const before = await keys();
      await Promise.all(refused.map(async ([name, given, codes]) => {
        const auth = typeof given === 'function' ? given() : given;
        const c = w.client(w.pods[0], user, { lib, transports, auth, reconnection: false });
        await waitFor(() => c.errors.length || c.connects, 10_000, `an answer to: ${name}`);
        assert.equal(c.connects, 0, `${name} was let in`);
        const [err] = c.errors;
        assert.equal(err.message, 'Authentication error', name);
        assert.deepEqual(Object.keys(err.data ?? {}).sort(), ['code', 'message'], name);
        assert.ok(codes.includes(err.data.code), `${name}: ${err.data.code}`);
        assert.match(err.data.message, /\S/, name);
        c.close();
      }));
      assert.deepEqual((await keys()).filter((k) => !before.includes(k)), [], 'something was left behind in Redis');
    });
  }
}

for (const lib of libs) {
  for (const [transport, transports] of Object.entries(transportSets)) {
    test(`${lib} over ${transport}: a good token is let in, as an object and from a function`, { timeout: 20_000 }, async () => {
      const me = objectId();
      const calls = [];
      const a = await w.connect(w.pods[0], me, { lib, transports });
      const b = await w.connect(w.pods[0], me, { lib, transports, auth: (cb) => { calls.push(1); cb({ token: token(me) }); } });
      assert.equal(calls.length, 1);
      await w.present(me, a.id, b.id);
      if (transport === 'upgrade') await waitFor(() => a.transport === 'websocket' && b.transport === 'websocket', 5_000, 'the upgrade');
      else assert.equal(a.transport, transport);
    });

    test(`${lib} over ${transport}: refused, then connect() again with a good token on the same manager`, { timeout: 20_000 }, async () => {
      const me = objectId();
      const c = w.client(w.pods[0], me, { lib, transports, auth: { token: token(me, { exp: seconds(-10) }) } });
      await waitFor(() => c.errors.length, 10_000, 'connect_error');
      assert.equal(c.errors[0].data.code, 'token_expired');
      assert.deepEqual(await w.sockets(me), []);
      c.socket.auth = { token: token(me) };
      c.socket.connect();
      await waitFor(() => c.socket.connected, 10_000, 'connect');
      await w.present(me, c.id);
      assert.equal(c.errors.length, 1);
    });

  }
}

// At once, as each of them waits for a token to end.
test('a token that ends while connected brings the client back with a fresh one: every version and transport', { timeout: 45_000 }, async () => {
  const cases = libs.flatMap((lib) => Object.entries(transportSets).map(([transport, transports]) => ({ lib, transport, transports })));
  assert.equal(cases.length, 9);
  await Promise.all(cases.map(async ({ lib, transport, transports }) => {
    const me = objectId();
    const other = objectId();
    const chatId = await w.chat(me, other);
    const lifetimes = [6, 3600];
    let asked = 0;
    const c = await w.client(w.pods[0], me, {
      lib, transports, auth: (cb) => cb({ token: token(me, { exp: seconds(lifetimes[Math.min(asked++, 1)]) }) }),
    }).connected();
    const first = c.id;
    await waitFor(() => c.connects === 2, 20_000, () => `the second connect; ${JSON.stringify(c.disconnects)}`);
    assert.equal(asked, 2);
    assert.equal(c.disconnects.length, 1);
    assert.ok(['transport close', 'transport error'].includes(c.disconnects[0]), c.disconnects[0]);
    assert.notEqual(c.id, first);
    await w.present(me, c.id);
    const m = await w.said(w.pods[0], other, chatId, 'still here?');
    await c.has(m._id);
    assert.equal(c.messages.length, 1);
  }));
});

test('refused: a second CONNECT on the same transport works', { timeout: 10_000 }, async () => {
  const me = objectId();
  const s = await rawSocket(w.pods[0]);
  s.send('40{"token":"nonsense"}');
  const no = await s.next((p) => p.startsWith('44'));
  assert.deepEqual({ ...JSON.parse(no.slice(2)), data: { ...JSON.parse(no.slice(2)).data, message: '' } }, { message: 'Authentication error', data: { code: 'token_malformed', message: '' } });
  s.send(`40${JSON.stringify({ token: token(me) })}`);
  const yes = JSON.parse((await s.next((p) => p.startsWith('40'))).slice(2));
  await w.present(me, yes.sid);
  assert.notEqual(yes.sid, s.open.sid, 'the set holds the CONNECT sid, never the Engine.IO sid');
  s.close();
  await w.present(me);
});

test('frames that once ended the process: the pod lives on', { timeout: 20_000 }, async () => {
  const me = objectId();
  for (const frame of ['3', '42', '40null', '40"text"', '40[]', '40[{"token":1}]', '4', '', '45-', '451-["x"]', '49', '40/admin,{}', '42["new_message"]', '\u0000', '6', '5']) {
    const s = await rawSocket(w.pods[0]);
    s.send(frame);
    s.send('2probe');
    await waitFor(() => s.closed || s.received.length > 1, 3_000, `an answer or a close after ${JSON.stringify(frame)}`).catch(() => {});
    s.close();
  }
  const c = await w.connect(w.pods[0], me);
  await w.present(me, c.id);
  assert.equal(w.pods[0].program.ended, undefined);
});

test('a foreign namespace is refused as Node refuses it, and the main one still works', { timeout: 10_000 }, async () => {
  const me = objectId();
  const io = require('sioc48');
  const foreign = io(`${w.pods[0].url}/admin`, { transports: ['websocket'], forceNew: true, auth: { token: token(me) } });
  try {
    const err = await new Promise((resolve) => foreign.once('connect_error', resolve));
    assert.equal(err.message, 'Invalid namespace');
  } finally { foreign.disconnect(); }
  await w.connect(w.pods[0], me);
});

test('the stock client is served, as Node serves it', { timeout: 10_000 }, async () => {
  for (const name of ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js']) {
    const res = await fetch(`${w.pods[0].url}/socket.io/${name}`);
    const body = await res.text();
    assert.equal(res.status, 200, name);
    assert.match(res.headers.get('content-type'), /javascript/, name);
    assert.match(body.slice(0, 200), /Socket\.IO v4\./, name);
    const map = await fetch(`${w.pods[0].url}/socket.io/${name}.map`);
    assert.equal(map.status, 200, `${name}.map`);
    assert.ok(Array.isArray((await map.json()).sources), `${name}.map`);
  }
});
