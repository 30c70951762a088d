// Tokens as deployments have them: signed by somebody else's key, published or configured, under other claims,
// and with times that are none. Contract 3 and 9.
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import jwt from 'jsonwebtoken';
import { parleyBin } from './harness/builds.mjs';
import { Client, libs } from './harness/clients.mjs';
import { api, post } from './harness/http.mjs';
import { objectId } from './harness/models.mjs';
import { cleanEnv, run } from './harness/process.mjs';
import { SECRET } from './harness/settings.mjs';
import { seconds, token } from './harness/token.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 1 });

const pems = { privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } };
const rsa = () => ({ algorithm: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2048, ...pems }) });
const p256 = () => ({ algorithm: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256', ...pems }) });
const jwk = (kid, { algorithm, publicKey }) => ({ ...createPublicKey(publicKey).export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' });

// An identity provider: it publishes its keys, until it is away.
class Provider {
  keys = [];
  asked = 0;
  away = false;

  async open() {
    this.server = createServer((req, res) => {
      this.asked++;
      if (this.away) return void res.writeHead(503).end('away');
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: this.keys }));
    }).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}/.well-known/jwks.json`;
    return this;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
const providers = [];
after(() => providers.forEach((p) => p.close()));
async function provider() {
  const p = await new Provider().open();
  providers.push(p);
  return p;
}

const CLAIM = 'https://app.example.com/userId';
const hosted = (p) => ({
  JWT_SECRET: undefined, JWT_ALGORITHMS: 'RS256,ES256', JWT_JWKS_URL: p.url, JWT_USER_CLAIM: CLAIM, JWT_ISSUER: 'https://id.example.com/', JWT_AUDIENCE: 'chat,admin',
});
const issued = (user, kid, { algorithm, privateKey }, claims = {}) => jwt.sign(
  { [CLAIM]: user, iss: 'https://id.example.com/', aud: ['userinfo', 'chat'], exp: seconds(3600), ...claims }, privateKey, { algorithm, keyid: kid },
);

async function refusedWith(pod, given, code) {
  const c = w.client(pod, 'nobody', { token: given, reconnection: false });
  await waitFor(() => c.errors.length || c.connects, 15_000, 'an answer');
  assert.equal(c.connects, 0, 'it was let in');
  assert.equal(c.errors[0].message, 'Authentication error');
  assert.equal(c.errors[0].data.code, code);
  c.close();
  const res = await api(pod, 'GET', '/api/chats', { token: given });
  assert.equal(res.status, 401, res.body);
  assert.equal(res.json.error.code, code);
}

test('keys that are published: RS256 and ES256 of Node, a rotation that leaves connections alone, a provider that is away', { timeout: 90_000 }, async () => {
  const p = await provider();
  const [first, second, foreign] = [rsa(), p256(), rsa()];
  p.keys = [jwk('one', first)];
  const pod = await w.pod(hosted(p));
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const clients = await Promise.all(libs.map((lib) => w.connect(pod, alice, { lib, token: issued(alice, 'one', first) })));
  const say = async (given, text) => {
    const res = await post(pod, given, { chatId, text });
    assert.equal(res.status, 201, res.body);
    return res.json.messages[0];
  };
  const hello = await say(issued(bob, 'one', first), 'hello');
  for (const c of clients) await c.has(hello._id);

  await refusedWith(pod, issued(alice, 'one', foreign), 'token_invalid');
  await refusedWith(pod, token(alice), 'token_invalid'); // HS256, under the suite's secret
  await refusedWith(pod, jwt.sign({ [CLAIM]: alice, iss: 'https://id.example.com/', aud: 'chat' }, first.publicKey, { algorithm: 'HS256', keyid: 'one' }), 'token_invalid');
  await refusedWith(pod, issued(alice, 'one', first, { iss: 'https://other.example.com/' }), 'token_invalid');
  await refusedWith(pod, issued(alice, 'one', first, { aud: 'other' }), 'token_invalid');
  await refusedWith(pod, issued({ $ne: null }, 'one', first), 'token_invalid');
  await refusedWith(pod, issued(alice, 'one', first, { exp: seconds(-1) }), 'token_expired');

  p.keys = [jwk('two', second)];
  const asked = p.asked;
  const fresh = await Promise.all(libs.map((lib) => w.connect(pod, bob, { lib, token: issued(bob, 'two', second) })));
  assert.ok(p.asked - asked <= 3, `asked ${p.asked - asked} times for one rotation`);
  await refusedWith(pod, issued(alice, 'one', first), 'token_invalid');
  const after = await say(issued(bob, 'two', second), 'after the rotation');
  for (const c of [...clients, ...fresh]) await c.has(after._id);
  for (const c of clients) assert.deepEqual([c.connects, c.disconnects.length], [1, 0], 'a connection that was open fell');

  p.away = true;
  const known = await say(issued(bob, 'two', second), 'while it is away');
  for (const c of clients) await c.has(known._id);
  const third = p256();
  const unknown = await api(pod, 'GET', '/api/chats', { token: issued(alice, 'three', third) });
  assert.equal(unknown.status, 503, unknown.body);
  assert.equal(unknown.json.error.code, 'unavailable');
  assert.equal((await fetch(`${pod.url}/readyz`)).status, 200, 'the last good keys do');
  p.keys = [jwk('two', second), jwk('three', third)];
  p.away = false;
  await w.connect(pod, alice, { token: issued(alice, 'three', third) });
  const metrics = await (await fetch(`${pod.url}/metrics`)).text();
  for (const outcome of ['ok', 'failed']) assert.match(metrics, new RegExp(`parley_token_keys_fetched_total{outcome="${outcome}"} [1-9]`));
});

test('a provider that is away at the start: the pod starts, and is ready once it has keys', { timeout: 60_000 }, async () => {
  const p = await provider();
  const key = rsa();
  p.keys = [jwk('one', key)];
  p.away = true;
  let ready = false;
  const starting = w.pod(hosted(p)).then((pod) => { ready = true; return pod; });
  await waitFor(() => p.asked >= 3, 20_000, 'the pod to ask again');
  assert.equal(ready, false, 'ready without keys');
  p.away = false;
  const pod = await starting;
  const user = objectId();
  await w.connect(pod, user, { token: issued(user, 'one', key) });
});

test('a key that is configured, beside the secret: neither stands in for the other; parley token signs with both', { timeout: 60_000 }, async () => {
  const key = rsa();
  const env = { JWT_ALGORITHMS: 'HS256,RS256', JWT_PUBLIC_KEY: key.publicKey.replaceAll('\n', '\\n'), JWT_USER_CLAIM: 'user.id', JWT_LEEWAY: '5m' };
  const pod = await w.pod(env);
  const user = objectId();
  const signed = (secret, algorithm, claims = {}) => jwt.sign({ user: { id: user }, exp: seconds(3600), ...claims }, secret, { algorithm });
  await w.connect(pod, user, { token: signed(key.privateKey, 'RS256') });
  await w.connect(pod, user, { token: signed(SECRET, 'HS256') });
  await w.connect(pod, user, { token: signed(SECRET, 'HS256', { exp: seconds(-60) }) }); // within JWT_LEEWAY
  for (const secret of [key.publicKey, key.publicKey.trim(), createPublicKey(key.publicKey).export({ type: 'spki', format: 'der' })]) {
    await refusedWith(pod, signed(secret, 'HS256'), 'token_invalid');
  }
  await refusedWith(pod, signed(SECRET, 'HS512'), 'token_invalid');
  await refusedWith(pod, token(user), 'token_invalid'); // userId, which is not asked for here

  const file = join(w.dir, 'private.pem');
  writeFileSync(file, key.privateKey);
  const parley = (args, more) => run(parleyBin(), ['token', '--user', user, ...args], { dir: w.dir, cwd: w.dir, env: cleanEnv({ ...env, ...more }), ms: 15_000 });
  for (const [args, more, alg] of [[[], { JWT_SECRET: SECRET }, 'HS256'], [['--private-key', file], {}, 'RS256'], [[], { JWT_PRIVATE_KEY: key.privateKey }, 'RS256']]) {
    const res = await parley(args, more);
    assert.equal(res.code, 0, res.stderr);
    assert.equal(jwt.decode(res.stdout.trim(), { complete: true }).header.alg, alg);
    await w.connect(pod, user, { token: res.stdout.trim() });
  }
  const no = await parley([], { JWT_ALGORITHMS: 'RS256' });
  assert.equal(no.code, 2);
  assert.match(no.stderr, /there is no private key/);
});

test('a private key by mistake: said, and not shown', { timeout: 20_000 }, async () => {
  const key = rsa();
  const res = await run(parleyBin(), ['serve'], { dir: w.dir, cwd: w.dir, env: cleanEnv({ JWT_ALGORITHMS: 'RS256', JWT_PUBLIC_KEY: key.privateKey }), ms: 15_000 });
  assert.equal(res.code, 2);
  assert.match(res.stderr, /JWT_PUBLIC_KEY.*private key/);
  assert.ok(!res.stderr.includes(key.privateKey.split('\n')[1]), 'the key is shown');
});

test('the embedded mode under somebody else\'s keys: it serves, and has no tokens to hand out', { timeout: 60_000 }, async () => {
  const key = rsa();
  const DATA_DIR = join(w.dir, 'alone');
  const pod = await w.pod({ DATA_DIR, MONGODB_URI: undefined, REDIS_URL: undefined, JWT_SECRET: undefined, JWT_ALGORITHMS: 'RS256', JWT_PUBLIC_KEY: key.publicKey });
  const user = objectId();
  await w.connect(pod, user, { token: jwt.sign({ userId: user }, key.privateKey, { algorithm: 'RS256' }) });
  for (const path of ['/', '/demo.json']) assert.equal((await fetch(pod.url + path)).status, 404, path);
  assert.equal(existsSync(join(DATA_DIR, 'jwt-secret')), false);
});

// Each of them was let in, cut off within a second, and came back, without end. A token that does end is watched
// beside them: when it has, they have been looked at as often as it.
test('exp in the year 9999, in milliseconds, beyond all numbers: connected, and stays so', { timeout: 45_000 }, async () => {
  const pod = w.pods[0];
  const user = objectId();
  const far = [253402300799, Date.now() + 3_600_000, 9e15, 1e300];
  const clients = await Promise.all(far.flatMap((exp) => libs.map((lib) => w.connect(pod, user, { lib, token: token(user, { exp }) }))));
  for (const round of [1, 2]) {
    const soon = new Client(pod.url, { auth: (cb) => cb({ token: token(user, { exp: seconds(3) }) }) });
    await waitFor(() => soon.disconnects.length, 20_000, `the end of token ${round}`);
    soon.close();
  }
  for (const c of clients) assert.deepEqual([c.connects, c.disconnects], [1, []]);
  await refusedWith(pod, token(user, { nbf: 1e300 }), 'token_invalid');
});
