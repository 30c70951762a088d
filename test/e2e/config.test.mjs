// The command line: mistakes are all reported at once, secrets never; token, version, help. Contract 9.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jwt from 'jsonwebtoken';
import { parleyBin } from './harness/builds.mjs';
import { cleanEnv, run } from './harness/process.mjs';
import { SECRET } from './harness/settings.mjs';
import { objectId } from './harness/models.mjs';
import { useWorld } from './harness/world.mjs';

const w = useWorld({ pods: 1 });
let dir;
before(() => { dir = mkdtempSync(join(tmpdir(), 'parley-e2e-')); });
after(() => rmSync(dir, { recursive: true, force: true }));
const parley = (args, env = {}) => run(parleyBin(), args, { dir, cwd: dir, env: cleanEnv(env), ms: 15_000 });

test('bad values: every mistake is listed, in plain words, and the exit code is 2', { timeout: 20_000 }, async () => {
  const bad = {
    PORT: 'http', JWT_SECRET: '   ', MONGODB_URI: 'postgres://u:hunter2@db/x', REDIS_URL: 'localhost:6379', SOCKETIO_ADAPTER: 'kafka', CORS_ORIGIN: 'not an origin',
    MAX_TEXT_BYTES: '-1', MAX_FILES: '0', MAX_FILE_BYTES: '25 MB', PING_INTERVAL: 'soon', PING_TIMEOUT: '-5s', PRESENCE_TTL: '0', REPLAY_LIMIT: 'all', RATE_LIMIT_MESSAGES: '1.5', SHUTDOWN_TIMEOUT: 'x', ALLOW_EIO3: 'maybe', LOG_LEVEL: 'loud',
  };
  const res = await parley(['serve', '--max-uploads=none', '--no-such-flag=1'], bad);
  assert.equal(res.code, 2, res.stderr);
  const said = res.stdout + res.stderr;
  for (const name of Object.keys(bad)) assert.match(said, new RegExp(`\\b${name}\\b`), `${name} is not mentioned`);
  assert.match(said, /--max-uploads/);
  assert.match(said, /--no-such-flag/);
  assert.ok(!said.includes('hunter2'), 'a password is shown');
});

test('a database without JWT_SECRET, and a misspelt variable', { timeout: 20_000 }, async () => {
  const noSecret = await parley(['serve'], { MONGODB_URI: 'mongodb://127.0.0.1:1/x' });
  assert.equal(noSecret.code, 2);
  assert.match(noSecret.stderr, /JWT_SECRET/);
  const misspelt = await parley(['serve', '--prot=1'], {});
  assert.equal(misspelt.code, 2);
  assert.match(misspelt.stderr, /did you mean --port/);
  const command = await parley(['server']);
  assert.equal(command.code, 2);
  assert.match(command.stderr, /serve/);
});

test('secrets are not in the log of a running pod', { timeout: 20_000 }, async () => {
  assert.match(w.pods[0].program.log(), /"msg":"listening"/);
  assert.ok(!w.pods[0].program.log().includes(SECRET));
});

test('parley token: a token the server takes, for as long as asked', { timeout: 20_000 }, async () => {
  const user = objectId();
  const res = await parley(['token', '--user', user, '--ttl', '1h'], { JWT_SECRET: SECRET });
  assert.equal(res.code, 0, res.stderr);
  const minted = res.stdout.trim();
  const claims = jwt.verify(minted, SECRET, { algorithms: ['HS256'] });
  assert.equal(claims.userId, user);
  assert.ok(Math.abs(claims.exp - Date.now() / 1000 - 3600) < 30);
  const c = await w.connect(w.pods[0], user, { token: minted });
  await w.present(user, c.id);
  for (const [args, env] of [[[], { JWT_SECRET: SECRET }], [['--user', user], {}], [['--user', user, '--ttl', '0s'], { JWT_SECRET: SECRET }], [['--user', user, '--bogus'], { JWT_SECRET: SECRET }]]) {
    const no = await parley(['token', ...args], env);
    assert.equal(no.code, 2, args.join(' '));
    assert.equal(no.stdout, '');
  }
});

test('parley version and help', { timeout: 20_000 }, async () => {
  const version = await parley(['version']);
  assert.equal(version.code, 0);
  assert.match(version.stdout, /^parley \S+.*go1\.\d+/);
  const help = await parley(['serve', '--help']);
  assert.equal(help.code, 0);
  for (const name of ['PORT', 'HOST', 'JWT_SECRET', 'MONGODB_URI', 'REDIS_URL', 'SOCKETIO_ADAPTER', 'CLOUDINARY_URL', 'DATA_DIR', 'CORS_ORIGIN', 'ALLOW_EIO3',
    'MAX_TEXT_BYTES', 'MAX_FILE_BYTES', 'MAX_FILES', 'PING_INTERVAL', 'PING_TIMEOUT', 'PRESENCE_TTL', 'REPLAY_LIMIT', 'SHUTDOWN_TIMEOUT']) {
    assert.match(help.stdout, new RegExp(`\\b${name}\\b`), name);
    assert.match(help.stdout, new RegExp(`--${name.toLowerCase().replaceAll('_', '-')}\\b`), name);
  }
  assert.match(help.stdout, /RATE_LIMIT_/);
});

test('a flag wins over its variable', { timeout: 20_000 }, async () => {
  const res = await parley(['serve', '--port=nonsense'], { PORT: '0' });
  assert.equal(res.code, 2);
  assert.match(res.stderr, /--port/);
});
