// nginx and HAProxy with the configurations of deploy/, changed only in what a test has to change: addresses,
// paths, how many connections, what the log says. A line that is not found there is an error.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnv, Program } from '../e2e/harness/process.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { quietPort } from '../e2e/harness/ports.mjs';

export const deploy = (file) => fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url));
export const read = (file) => readFileSync(deploy(file), 'utf8');
const root = process.getuid?.() === 0;
const nobody = 65534;

// Where a program is; on Debian, root may have it installed. undefined: there is none, and the test says so.
export function tool(name, pkg = name) {
  const find = () => ['/usr/sbin', '/usr/local/sbin', ...process.env.PATH.split(':')].map((d) => join(d, name)).find(existsSync);
  if (!find() && pkg && root && existsSync('/etc/debian_version')) {
    // RUNLEVEL=1: the package must not start a server of its own.
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    spawnSync('apt-get', ['update', '-qq'], { env, timeout: 60_000 });
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', pkg], { env, timeout: 120_000 });
  }
  return find();
}

// Each change is [what, by what], and what must be there.
export function changed(text, changes) {
  for (const [what, by] of changes) {
    const next = typeof what === 'string' ? text.replaceAll(what, by) : text.replace(what, by);
    assert.ok(next !== text, `nothing to change: ${what}`);
    text = next;
  }
  return text;
}

const numbered = (ports) => ports.map((port, i) => [`parley-${i + 1}:3000`, `127.0.0.1:${port}`]);

const workspaces = [];
process.on('exit', () => workspaces.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

function workspace(name) {
  const dir = mkdtempSync(join(tmpdir(), `parley-${name}-`));
  workspaces.push(dir);
  if (root) chownSync(dir, nobody, nobody);
  chmodSync(dir, 0o755);
  return dir;
}

// Nobody needs root for this, so it does not get it; the process id stays that of the program.
function unprivileged(name, file, args, dir) {
  return root
    ? new Program(name, '/usr/bin/setpriv', [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', file, ...args], { dir, env: cleanEnv() })
    : new Program(name, file, args, { dir, env: cleanEnv() });
}

async function listening(program, port) {
  await waitFor(() => program.ended || new Promise((resolve) => {
    const s = net.connect(port, '127.0.0.1', () => { s.destroy(); resolve(true); }).on('error', () => resolve(false));
  }), 10_000, `${program.name} to listen`);
  assert.equal(program.ended, undefined, program.tail());
}

const cookieLines = [
  ["map '' $parley_client { default $remote_addr; }\n", ''],
  ["map '' $parley_cookie { default ''; }\n", ''],
  ['#map $cookie_parley', 'map $cookie_parley'],
];

export function renderNginx(dir, port, ports, { cookies = false, changes = [] } = {}) {
  const site = changed(read('nginx/parley.conf'), [
    ...numbered(ports), ['listen 80;', `listen 127.0.0.1:${port};`],
    ['access_log /var/log/nginx/access.log parley;', `access_log ${dir}/access.log parley;\n    access_log ${dir}/test.log test;`],
    ...(cookies ? cookieLines : []), ...changes,
  ]);
  writeFileSync(join(dir, 'parley.conf'), site);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((k) => `${k}_temp_path ${dir}/${k};`).join(' ');
  writeFileSync(join(dir, 'nginx.conf'), changed(read('nginx/nginx.conf'), [
    ['user www-data;\n', ''], ['/run/nginx.pid', `${dir}/nginx.pid`], ['140000', '2048'], ['65536', '1024'],
    ['http {\n', `http {\n ${temp}\n log_format test '$upstream_addr|$arg_sid|$request_method $uri|$status';\n`],
    ['/etc/nginx/parley.conf', `${dir}/parley.conf`],
  ]));
  return join(dir, 'nginx.conf');
}

export async function startNginx(ports, options) {
  const [dir, port] = [workspace('nginx'), await quietPort()];
  const conf = renderNginx(dir, port, ports, options);
  const program = unprivileged('nginx', tool('nginx'), ['-e', 'stderr', '-c', conf, '-g', `daemon off;${options?.globals ?? ''}`], dir);
  await listening(program, port);
  const requests = () => (existsSync(`${dir}/test.log`) ? readFileSync(`${dir}/test.log`, 'utf8') : '').split('\n').filter(Boolean).map((line) => {
    const [to, sid, what, status] = line.split('|');
    return { to: to.split(':').pop(), sid: sid === '-' ? '' : sid, what, status: Number(status) };
  });
  return { url: `http://127.0.0.1:${port}`, program, requests, stop: () => program.stop(5_000) };
}

export function renderHaproxy(dir, port, ports, { changes = [] } = {}) {
  writeFileSync(join(dir, 'haproxy.cfg'), changed(read('haproxy/haproxy.cfg'), [
    ...numbered(ports), ['bind :80\n', `bind 127.0.0.1:${port}\n`], ['maxconn 100000', 'maxconn 1000'],
    [/log-format .*/, 'log-format "req|%s|%HM %HP|%HQ|%ST"'], ...changes,
  ]));
  return join(dir, 'haproxy.cfg');
}

// Asked often, so that a red pod is seen at once; one that is slow to answer is not down for that.
const checks = [['inter 2s', 'inter 200ms'], ['timeout connect 2s', 'timeout connect 2s\n    timeout check 10s']];

export async function startHaproxy(ports, options) {
  const [dir, port] = [workspace('haproxy'), await quietPort()];
  const conf = renderHaproxy(dir, port, ports, { ...options, changes: [...checks, ...(options?.changes ?? [])] });
  const program = unprivileged('haproxy', tool('haproxy'), ['-db', '-f', conf], dir);
  await listening(program, port);
  const requests = () => program.lines.filter((l) => l.text.startsWith('req|')).map((l) => {
    const [, to, what, query, status] = l.text.split('|');
    const n = to.match(/^parley-(\d)$/)?.[1];
    return { to: n ? String(ports[n - 1]) : to, sid: new URLSearchParams(query).get('sid') ?? '', what, status: Number(status) };
  });
  return { url: `http://127.0.0.1:${port}`, program, requests, stop: () => program.stop(5_000) };
}

// The balancers that can be run here; the others' tests are reported as skipped, with the reason.
export const balancers = [
  { name: 'nginx', start: startNginx, skip: !tool('nginx') && 'nginx is not installed' },
  { name: 'HAProxy', start: startHaproxy, skip: !tool('haproxy') && 'haproxy is not installed' },
];

export function output(file, args, options = {}) {
  try {
    return { ok: true, text: execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000, ...options }) };
  } catch (err) { return { ok: false, text: `${err.stdout ?? ''}${err.stderr ?? err.message}` }; }
}

export function scratch(name) {
  const dir = workspace(name);
  mkdirSync(join(dir, 'tmp'));
  return dir;
}
