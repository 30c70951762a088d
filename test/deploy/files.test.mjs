// What is not run here is at least read by the parsers of those who will run it, and its numbers are held against
// the rules of deploy/README.md. A checker that is not there is named as skipped.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { parleyBin } from '../e2e/harness/builds.mjs';
import { changed, deploy, output, read, renderHaproxy, renderNginx, scratch, tool } from './balancers.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const repository = fileURLToPath(new URL('../..', import.meta.url));
const has = (...command) => output(command[0], command.slice(1)).ok;

function passes(file, args, options) {
  const { ok, text } = output(file, args, options);
  assert.ok(ok, text);
  return text;
}

for (const cookies of [false, true]) {
  test(`nginx -t, by ${cookies ? 'cookie' : 'address'}`, { skip: !tool('nginx') && 'nginx is not installed' }, () => {
    const dir = scratch('nginx-t');
    passes(tool('nginx'), ['-t', '-e', 'stderr', '-c', renderNginx(dir, 18_080, [3001, 3002], { cookies })]);
  });
}

test('haproxy -c', { skip: !tool('haproxy') && 'haproxy is not installed' }, () => {
  passes(tool('haproxy'), ['-c', '-W', '-f', renderHaproxy(scratch('haproxy-c'), 18_080, [3001, 3002])]);
});

// The module is small and what it imports is not: its first build takes a minute or two, and needs the modules.
const checker = { path: join(scratch('check'), 'check') };
checker.built = output('go', ['build', '-o', checker.path, '.'], { cwd: join(here, 'check'), timeout: 600_000 });
const unreachable = /dial tcp|no such host|connection refused|i\/o timeout|module lookup disabled|reading \S+: \d{3} /;
const noChecker = !checker.built.ok && unreachable.test(checker.built.text) && `test/deploy/check needs modules: ${checker.built.text.split('\n')[0]}`;

test('the checker can be built', { skip: noChecker }, () => {
  assert.ok(checker.built.ok, checker.built.text);
});

test('Kubernetes: every field is one of the API', { skip: noChecker }, () => {
  const files = readdirSync(deploy('kubernetes')).filter((f) => f.endsWith('.yaml') && f !== 'kustomization.yaml').map((f) => deploy(`kubernetes/${f}`));
  const found = passes(checker.path, ['kubernetes', ...files]).trim().split('\n').sort();
  assert.deepEqual(found, ['ConfigMap parley', 'Deployment parley', 'HorizontalPodAutoscaler parley', 'Ingress parley-api', 'Ingress parley-sockets',
    'NetworkPolicy parley', 'PodDisruptionBudget parley', 'Secret parley', 'Service parley']);
  // The check itself: a misspelt field is an error.
  const wrong = join(scratch('k8s'), 'wrong.yaml');
  writeFileSync(wrong, changed(read('kubernetes/deployment.yaml'), [['terminationGracePeriodSeconds', 'terminationGraceSeconds']]));
  assert.match(output(checker.path, ['kubernetes', wrong]).text, /unknown field .*terminationGraceSeconds/);
});

test('kubectl kustomize', { skip: !has('kubectl', 'version', '--client') && 'kubectl is not installed' }, () => {
  assert.equal(passes('kubectl', ['kustomize', deploy('kubernetes')]).match(/^kind: /gm).length, 8);
});

test('Compose: the file loads', { skip: noChecker }, () => {
  passes(checker.path, ['compose', deploy('compose/compose.yaml')]);
  const wrong = join(scratch('compose'), 'wrong.yaml');
  writeFileSync(wrong, changed(read('compose/compose.yaml'), [['stop_grace_period', 'stop_grace']]));
  assert.equal(output(checker.path, ['compose', wrong]).ok, false);
});

test('docker compose config', { skip: !has('docker', 'compose', 'version') && 'the compose plugin of docker is not installed' }, () => {
  passes('docker', ['compose', '-f', deploy('compose/compose.yaml'), 'config', '--quiet'], { env: { ...process.env, JWT_SECRET: 'set' } });
});

test('Dockerfile: it parses', { skip: noChecker }, () => passes(checker.path, ['dockerfile', deploy('docker/Dockerfile')]));

test('Dockerfile: its build command works on what .dockerignore lets in, and makes a static binary', { timeout: 600_000 }, () => {
  const dir = scratch('image');
  const src = join(dir, 'src');
  mkdirSync(src);
  for (const [, name] of read('docker/Dockerfile.dockerignore').matchAll(/^!(.+)$/gm)) {
    cpSync(join(repository, name), join(src, name), { recursive: true, filter: (f) => !f.endsWith('_test.go') });
  }
  const command = read('docker/Dockerfile').match(/^RUN (CGO_ENABLED=0 go build .*)$/m)[1];
  passes('sh', ['-c', changed(command, [['/out/parley', `${dir}/parley`]])], { cwd: src, env: { ...process.env, VERSION: 'v9.9.9' }, timeout: 590_000 });
  assert.match(passes(join(dir, 'parley'), ['version']), /v9\.9\.9/);
  assert.doesNotMatch(passes('readelf', ['--program-headers', '--wide', join(dir, 'parley')]), /INTERP/, 'it needs a dynamic linker, which the image has not');
});

test('systemd-analyze verify', { skip: !tool('systemd-analyze') && 'systemd-analyze is not installed' }, () => {
  const unit = join(scratch('systemd'), 'parley@3001.service');
  writeFileSync(unit, changed(read('systemd/parley@.service'), [['/usr/local/bin/parley', parleyBin()]]));
  const text = passes(tool('systemd-analyze'), ['verify', '--man=no', unit]);
  assert.doesNotMatch(text, /Unknown|ignoring/i);
});

test('every variable that is set is a setting, and the numbers keep the rules', () => {
  const known = new Set([...passes(parleyBin(), ['help', 'settings']).matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((m) => m[1]));
  assert.ok(known.has('READY_DELAY') && known.size > 30, 'the list of settings');
  const config = Object.fromEntries([...read('kubernetes/config.yaml').matchAll(/^ {2}([A-Z_]+): "?([^"#\n]*?)"? *(#.*)?$/gm)].map((m) => [m[1], m[2]]));
  const deployment = read('kubernetes/deployment.yaml');
  const compose = read('compose/compose.yaml');
  const unit = read('systemd/parley@.service');
  const used = {
    config: Object.keys(config).filter((k) => k !== 'GOMEMLIMIT'),
    deployment: [...deployment.matchAll(/- name: ([A-Z_]+)/g)].map((m) => m[1]),
    secret: [...read('kubernetes/secret.example.yaml').matchAll(/^ {2}([A-Z_]+):/gm)].map((m) => m[1]),
    compose: [...compose.matchAll(/^ {4}([A-Z_0-9]+):/gm)].map((m) => m[1]),
    unit: [...unit.match(/^Environment=(.*)$/m)[1].matchAll(/([A-Z_]+)=/g)].map((m) => m[1]),
    image: [...read('docker/Dockerfile').matchAll(/^ENV ([A-Z_]+)=/gm)].map((m) => m[1]),
  };
  for (const [where, names] of Object.entries(used)) {
    assert.ok(names.length > 0, where);
    for (const name of names) assert.ok(known.has(name), `${where}: ${name} is no setting`);
  }
  assert.deepEqual(used.deployment.sort(), used.secret.sort());

  const seconds = (text) => { const [, n, unitName] = text.match(/^(\d+)(ms|s|m)?$/); return n * { ms: 0.001, s: 1, m: 60 }[unitName ?? 's']; };
  const one = (text, re) => seconds(text.match(re)[1]);
  const closing = 2; // what Parley takes beyond SHUTDOWN_TIMEOUT at most, to close its connections
  assert.ok(one(deployment, /terminationGracePeriodSeconds: (\d+)/) > one(deployment, /sleep: \{ seconds: (\d+)/) + seconds(config.SHUTDOWN_TIMEOUT) + closing);
  assert.ok(seconds(config.READY_DELAY) <= seconds(config.SHUTDOWN_TIMEOUT) / 2);
  assert.ok(one(compose, /stop_grace_period: (\w+)/) > one(compose, /SHUTDOWN_TIMEOUT: (\w+)/) + closing);
  assert.ok(one(unit, /TimeoutStopSec=(\w+)/) > one(unit, /SHUTDOWN_TIMEOUT=(\w+)/) + closing);
  const ping = 25 + 20;
  const ingress = read('kubernetes/ingress.yaml');
  for (const [text, re] of [
    [read('nginx/parley.conf'), /proxy_read_timeout (60s)/], [read('haproxy/haproxy.cfg'), /timeout server (60s)/], [read('haproxy/haproxy.cfg'), /timeout tunnel (\w+)/],
    [read('haproxy/haproxy.cfg'), /expire (\w+)/], [ingress, /proxy-read-timeout: "(\d+)"/],
  ]) assert.ok(one(text, re) > ping, String(re));
  const largest = 10 * 26_214_400 + 262_144 + (256 << 10);
  assert.ok(read('nginx/parley.conf').match(/client_max_body_size (\d+)m;\n *proxy_request/)[1] * 2 ** 20 >= largest);
  assert.ok(ingress.match(/proxy-body-size: (\d\d+)m/)[1] * 2 ** 20 >= largest);
  assert.equal(Number(read('haproxy/haproxy.cfg').match(/content-length\) gt (\d+)/)[1]), largest);
  const uploads = config.MAX_UPLOADS * 10 * 25; // MiB
  assert.ok(deployment.match(/sizeLimit: (\d+)Gi/)[1] * 1024 > uploads);
});
