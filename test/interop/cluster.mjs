// One Redis, one MongoDB, a Node pod and the pod under test beside it.
//
// INTEROP_SUBJECT=node puts a second Node pod in the place of Parley: what fails then is wrong with the
// tests, not with Parley. SOCKETIO_ADAPTER chooses how the pods speak to each other.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { busBin } from '../e2e/harness/builds.mjs';
import { closeClients } from '../e2e/harness/clients.mjs';
import { cleanEnv, Program } from '../e2e/harness/process.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { World } from '../e2e/harness/world.mjs';
import { mark, unmark } from '../peer/index.mjs';

export const adapter = process.env.SOCKETIO_ADAPTER || 'redis';
export const subjectIsNode = process.env.INTEROP_SUBJECT === 'node';
const peerFile = fileURLToPath(new URL('../peer/server.mjs', import.meta.url));

// skip: unless(…) reads better where a test exists for some of the cases only.
export const only = (holds, why) => (holds ? false : why);

export function listening(line) {
  try {
    const entry = JSON.parse(line);
    return entry.msg === 'listening' && entry.url;
  } catch { return undefined; }
}

export async function startControlled(kind, name, dir, command, env) {
  const [file, ...args] = command;
  const program = new Program(name, file, args, { dir, cwd: dir, env: cleanEnv(env) });
  const url = await program.line(listening, 30_000);
  const pod = { name, program, url, kind };
  pod.control = (op, command = {}) => control(pod, op, command);
  return pod;
}

export const startPeer = (name, dir, env) => startControlled('node', name, dir, [process.execPath, peerFile], env);

// Asks a Node pod's `io`, or Parley's bus, for something; args may hold what JSON cannot.
async function control(pod, op, command) {
  const body = { op, ...command };
  if (body.args) body.args = mark(body.args);
  const res = await fetch(`${pod.url}/control`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: AbortSignal.timeout(20_000),
  });
  const answer = await res.json();
  if (answer.error !== undefined) throw new Error(`${op}: ${answer.error}`);
  return unmark(answer.result);
}

export class Cluster extends World {
  // node and subject are the two pods every suite has; either may be left out.
  async start({ node = true, subject = true, env = {} } = {}) {
    // Node's adapters for Redis pub/sub have no connection state recovery, so that no offset follows an event.
    await super.start({ pods: 0, env: { SOCKETIO_ADAPTER: adapter, LOG_FORMAT: 'json', RECOVERY_WINDOW: 0, ...env } });
    // Both are waited for even if one fails: what was started must be known to be ended.
    const started = await Promise.allSettled([node && this.peer(), subject && this.subjectPod()]);
    for (const s of started) if (s.reason) throw s.reason;
    [this.node, this.subject] = started.map((s) => s.value);
    await this.joined();
    return this;
  }

  async peer(env = {}) {
    const pod = await startPeer(`node${this.pods.length}-${Math.random().toString(36).slice(2, 5)}`, this.dir, {
      ...this.env, LOG_FORMAT: undefined, ...env,
    });
    this.pods.push(pod);
    return pod;
  }

  // Parley's bus without sockets of its own; a Node pod in its place where the tests are tested.
  async bus() {
    if (subjectIsNode) return this.peer();
    const pod = await startControlled('bus', `bus${this.pods.length}`, this.dir, [busBin()], { ...this.env, GORACE: 'exitcode=66 halt_on_error=0 atexit_sleep_ms=0' });
    this.pods.push(pod);
    return pod;
  }

  subjectPod(env = {}) { return subjectIsNode ? this.peer(env) : this.pod(env); }

  // Every pod hears every other: what is sent from now on reaches them all.
  async joined() {
    for (const pod of this.pods.filter((p) => p.kind === 'node' && !p.program.ended)) {
      const pods = this.pods.filter((p) => !p.program.ended).length;
      let count;
      await waitFor(async () => { count = await pod.control('serverCount'); return count === pods; }, 15_000, () => `${pod.name} to count ${pods} pods; it counts ${count}`);
      if (adapter === 'redis-streams') await this.reads(pod);
    }
  }

  // A Node pod that has read no entry yet may miss the first; it is given some of a type that means nothing to it.
  async reads(pod) {
    await waitFor(async () => {
      await this.redis.xadd('socket.io', '*', 'uid', 'test', 'nsp', '/', 'type', '2');
      return pod.control('offset');
    }, 15_000, `${pod.name} to read the stream`);
  }

  // Sends a marker the way `op` goes and waits until each client has it: what was sent before it has come.
  async settled(...clients) {
    // With the sharded adapter Parley has joined a room before it hears of it, and answers when it does.
    if (adapter === 'redis-sharded') await this.node.control('fetchSockets', { to: ['nobody'] });
    const tag = Math.random().toString(36);
    await this.node.control('emit', { event: 'marker', args: [tag] });
    await Promise.all(clients.map((c) => c.saw('marker', (t) => t === tag)));
  }
}

// What else a file needs goes into setup, as with useWorld.
export function useCluster(options, setup = () => {}) {
  const cluster = new Cluster();
  before(async () => { await setup(await cluster.start(options)); }, { timeout: 90_000 });
  afterEach((t) => {
    closeClients();
    if (t?.passed === false) cluster.failed = true;
  });
  after(() => cluster.close(), { timeout: 60_000 });
  return cluster;
}

export const sorted = (list) => [...list].sort();
export const tags = (client, event) => client.named(event);
export { assert, waitFor };
