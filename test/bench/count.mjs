// Counts what pods ask of Redis and MongoDB: commands, publications, what of them reaches which pod. Counts, unlike
// times, hardly depend on the machine. With 2 pods, from which the model in scale/ takes its unit costs, and with 8,
// which its predictions are held against. Writes its table into docs/BENCHMARKS.md.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { objectId, openModels } from '../e2e/harness/models.mjs';
import { post } from '../e2e/harness/http.mjs';
import { generous, ms } from '../e2e/harness/settings.mjs';
import { token } from '../e2e/harness/token.mjs';
import { startPod, startRedis } from '../e2e/harness/world.mjs';
import { aligned, machine, write } from './report.mjs';
import { Server, startDatabase } from './servers.mjs';

const ADAPTERS = (process.env.COUNT_ADAPTERS || 'redis,redis-sharded,redis-streams').split(',');
const PODS = (process.env.COUNT_PODS || '2,8').split(',').map(Number);
const whole = !process.env.COUNT_ADAPTERS && !process.env.COUNT_PODS;

const USERS = 400;
const CHATS = [{ size: 5, of: 2 }, { size: 50, of: 1 }]; // each user is in `of` chats of a size
const TTL = 6_000; // PRESENCE_TTL: what Redis is asked in one is what idle sockets cost
const IDLE = 2 * TTL;
const SETTLE = 2_000; // ms until what is put off is done
const GONE = 6_000; // ms until who has left is known not to come back
const POSTS = 300; // one after the other: what happens at the same time may share a trip, and is then less
const LEAVING = 4_000; // ms that everybody takes to leave
const FLOOD = 20_000;

const sleep = (t) => new Promise((done) => { setTimeout(done, t); });
const sum = (list) => list.reduce((a, b) => a + b, 0);
const began = Date.now();
const say = (text) => console.error(`${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

// The same world in every run: numbers that look random and are not.
function shuffled(list, seed) {
  const out = [...list];
  let state = seed;
  for (let i = out.length - 1; i > 0; i--) {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    const j = Math.floor((state / 2 ** 31) * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

async function populate(mongo, name, pods) {
  const users = Array.from({ length: USERS }, (_, i) => ({ id: objectId(), rooms: [], pod: i % pods }));
  const chats = [];
  let seed = 7;
  for (const { size, of } of CHATS) {
    for (let round = 0; round < of; round++) {
      const order = shuffled(users, seed++);
      for (let i = 0; i < USERS; i += size) {
        const chat = { id: objectId(), size, members: order.slice(i, i + size) };
        for (const u of chat.members) u.rooms.push(chat.id);
        chats.push(chat);
      }
    }
  }
  const { connection, Chat } = await openModels(`${mongo.uri}${name}`);
  try {
    await Chat.insertMany(chats.map((c) => ({ _id: c.id, participants: c.members.map((u) => u.id) })));
  } finally { await connection.close(); }
  return { users, chats };
}

const figure = (text, name) => Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(text)?.[1] ?? 0);
const metric = (text, name) => sum([...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+]+)$`, 'gm'))].map((m) => Number(m[1])));

function cpuOf(pid) { // in microseconds
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

class Run {
  constructor(adapter, pods, results) { Object.assign(this, { adapter, pods, results, ends: [] }); }

  note(row, value) { this.results.set(row, (this.results.get(row) ?? new Map()).set(this.adapter, value)); }

  async start(dir, mongo) {
    const name = `count-${this.adapter}-${this.pods}`;
    this.world = await populate(mongo, name, this.pods);
    this.redisServer = await startRedis(dir);
    this.ends.push(this.redisServer.program);
    this.redis = new Redis(this.redisServer.port, '127.0.0.1');
    this.models = await openModels(`${mongo.uri}${name}`);
    const env = {
      ...generous, DATA_DIR: join(dir, 'data'), MONGODB_URI: `${mongo.uri}${name}`, REDIS_URL: this.redisServer.url,
      SOCKETIO_ADAPTER: this.adapter, PRESENCE_TTL: ms(TTL), LOG_FORMAT: 'json', GOMAXPROCS: 2,
    };
    this.servers = [];
    for (let i = 0; i < this.pods; i++) { // two cores: side by side they would only be slower
      const pod = await startPod(`${name}-${i}`, dir, env);
      this.ends.push(pod.program);
      this.servers.push(new Server(this.adapter, join(dir), pod.program, pod.url));
      this.ends.push(this.servers[i].load.program);
    }
    await sleep(2_000);
  }

  async end() {
    this.redis?.disconnect();
    await this.models?.connection.close();
    await Promise.all(this.ends.map((p) => p.kill()));
  }

  async look() {
    const [stats, cpu, net, memory, status, ...pods] = await Promise.all([
      this.redis.info('commandstats'), this.redis.info('cpu'), this.redis.info('stats'), this.redis.info('memory'),
      this.models.connection.db.admin().serverStatus(),
      ...this.servers.map(async (s) => (await fetch(`${s.url}/metrics`)).text()),
    ]);
    const ours = /^cmdstat_(info|pubsub)/; // the looking itself
    return {
      at: Date.now(),
      commands: sum([...stats.matchAll(/^(cmdstat_[^:]+):calls=(\d+)/gm)].filter((m) => !ours.test(m[1])).map((m) => Number(m[2]))),
      redis: 1e6 * (figure(cpu, 'used_cpu_user') + figure(cpu, 'used_cpu_sys')),
      bytes: figure(net, 'total_net_output_bytes'),
      kept: figure(memory, 'used_memory'),
      trips: sum(Object.values(status.opcounters).map(Number)),
      published: sum(pods.map((t) => metric(t, 'parley_cluster_published_total'))),
      received: sum(pods.map((t) => metric(t, 'parley_cluster_received_total'))),
      cpu: sum(this.servers.map((s) => cpuOf(s.program.pid))),
    };
  }

  // What an action and the time after it made of each, less what that time takes anyway. The time is in whole
  // PRESENCE_TTLs: in each every pod looks after its sockets once.
  async during(action, wait, idle) {
    const before = await this.look();
    await action();
    const until = Date.now() + wait - before.at;
    await sleep(before.at + TTL * Math.ceil(until / TTL) - Date.now());
    const after = await this.look();
    const spent = {};
    for (const k of Object.keys(after)) spent[k] = after[k] - before[k] - (idle && k !== 'at' ? (idle[k] * (after.at - before.at)) / idle.at : 0);
    return spent;
  }

  noteEach(what, spent, n) {
    const row = (title) => `${this.pods} pods, ${what}: ${title}`;
    this.note(row('Redis commands'), spent.commands / n);
    this.note(row('MongoDB trips'), spent.trips / n);
    this.note(row('published'), spent.published / n);
    this.note(row('received by pods'), spent.received / n);
    this.note(row('µs CPU, Redis'), spent.redis / n);
    this.note(row('bytes out of Redis'), spent.bytes / n);
  }

  async measure() {
    const { users, chats } = this.world;
    const bare = await this.during(() => {}, IDLE);
    this.note(`${this.pods} pods, idle, nobody connected: Redis commands a PRESENCE_TTL and pod`, (bare.commands * TTL) / bare.at / this.pods);
    this.note(`${this.pods} pods, idle, nobody connected: µs CPU a second, Redis, by pod`, (bare.redis * 1_000) / bare.at / this.pods);
    const came = await this.during(() => Promise.all(this.servers.map((s, i) => s.connect(
      users.filter((u) => u.pod === i).map((u) => ({ auth: { token: token(u.id) }, rooms: u.rooms })), { at_once: 1 },
    ))), SETTLE, bare);
    const held = await this.during(() => {}, IDLE);
    this.note(`${this.pods} pods, idle, ${USERS} connected: Redis commands a PRESENCE_TTL and socket`, ((held.commands / held.at - bare.commands / bare.at) * TTL) / USERS);
    const looks = Math.round(came.at / TTL) / (held.at / TTL); // after its sockets, meanwhile
    for (const k of ['commands', 'redis', 'bytes']) came[k] -= (held[k] - (bare[k] * held.at) / bare.at) * looks;
    this.noteEach('a connect', came, USERS);
    this.note(`${this.pods} pods, a connect: bytes kept in Redis`, came.kept / USERS);
    this.note(`${this.pods} pods, subscriptions: channels`, await this.channels());
    this.note(`${this.pods} pods, subscriptions: in all`, await this.subscriptions());
    say(`${this.adapter}, ${this.pods} pods: connected`);

    for (const { size } of CHATS) {
      const of = chats.filter((c) => c.size === size);
      const spent = await this.during(() => this.posts(of), SETTLE, held);
      this.noteEach(`a message to ${size}`, spent, POSTS);
    }
    await this.flood(chats.find((c) => c.size === 5 && new Set(c.members.map((u) => u.pod)).size > 1));
    await this.looks();
    const left = await this.during(() => Promise.all(this.servers.map((s) => s.ask({ do: 'leave', ms: LEAVING }))), GONE, held);
    this.noteEach('a disconnect', left, USERS);
    say(`${this.adapter}, ${this.pods} pods: done`);
  }

  // Posts by members in turn, through pods in turn.
  async posts(chats) {
    for (let i = 0; i < POSTS; i++) {
      const chat = chats[i % chats.length];
      const from = chat.members[Math.floor(i / chats.length) % chat.members.length];
      const res = await post(this.servers[i % this.pods], token(from.id), { chatId: chat.id, text: 'x'.repeat(200) });
      if (res.status !== 201) throw new Error(`POST: ${res.status} ${res.body}`);
    }
  }

  async channels() {
    return this.adapter === 'redis-sharded' ? (await this.redis.pubsub('SHARDCHANNELS')).length
      : (await this.redis.pubsub('CHANNELS')).length + await this.redis.pubsub('NUMPAT');
  }

  async subscriptions() {
    if (this.adapter !== 'redis-sharded') {
      const channels = await this.redis.pubsub('CHANNELS');
      const counts = channels.length ? await this.redis.pubsub('NUMSUB', ...channels) : [];
      return sum(counts.filter((_, i) => i % 2).map(Number)) + this.pods; // and the pattern of each
    }
    const channels = await this.redis.pubsub('SHARDCHANNELS');
    const counts = await this.redis.pubsub('SHARDNUMSUB', ...channels);
    return sum(counts.filter((_, i) => i % 2).map(Number));
  }

  // One message of a chat of five, taken from the wire, again and again: who has the room reads it and knows it already, who has not drops it.
  async flood(chat) {
    const publish = await this.captured(chat);
    const inRoom = new Set(chat.members.map((u) => u.pod));
    const cpu = () => this.servers.map((s) => cpuOf(s.program.pid));
    const from = cpu();
    const before = await this.look();
    for (let sent = 0; sent < FLOOD; sent += 500) {
      const pipe = this.redis.pipeline();
      for (let i = 0; i < 500; i++) publish(pipe);
      await pipe.exec();
      await sleep(5);
    }
    await sleep(2_000);
    const after = await this.look();
    const spent = cpu().map((c, i) => (c - from[i]) / FLOOD);
    const mean = (list) => (list.length ? sum(list) / list.length : NaN);
    const row = (title) => `${this.pods} pods, a foreign message: ${title}`;
    this.note(row('µs CPU, a pod with the room'), mean(spent.filter((_, i) => inRoom.has(i))));
    this.note(row('µs CPU, a pod without it'), mean(spent.filter((_, i) => !inRoom.has(i))));
    this.note(row('µs CPU, Redis'), (after.redis - before.redis) / FLOOD);
    this.note(row('received by pods'), (after.received - before.received) / FLOOD);
    this.note(row('bytes out of Redis'), (after.bytes - before.bytes) / FLOOD);
  }

  // What Redis takes for one of the commands that idle sockets cost: too little to be seen beside a few hundred sockets.
  async looks() {
    const before = await this.look();
    for (let done = 0; done < FLOOD; done += 200) {
      const pipe = this.redis.pipeline();
      for (let i = 0; i < 200; i++) {
        const user = this.world.users[(done + i) % USERS];
        pipe.sismember(`user:${user.id}:sockets`, 'nobody');
      }
      await pipe.exec();
    }
    const after = await this.look();
    this.note(`${this.pods} pods, one of 200 commands sent together: µs CPU, Redis`, (after.redis - before.redis) / FLOOD);
  }

  // How to publish the bytes of a message to the chat once more, as from a pod nobody knows.
  async captured(chat) {
    const say = () => post(this.servers[chat.members[0].pod], token(chat.members[0].id), { chatId: chat.id, text: 'x'.repeat(200) });
    const foreign = (bytes) => Buffer.from(bytes.toString('latin1').replace(/^\x93\xa6.{6}/s, '\x93\xa6nobody').replace(/"uid":"[0-9a-f]{16}"/, '"uid":"0123456789abcdef"'), 'latin1');
    if (this.adapter === 'redis-streams') {
      await say();
      for (const [, fields] of await this.redis.xrevrange('socket.io', '+', '-', 'COUNT', 20)) {
        const at = fields.indexOf('data');
        if (!fields[at + 1].includes('new_message') || !fields[at + 1].includes(chat.id)) continue;
        fields[fields.indexOf('uid') + 1] = '0123456789abcdef';
        return (pipe) => pipe.xadd('socket.io', 'MAXLEN', '~', 10_000, '*', ...fields);
      }
      throw new Error('the message is not in the stream');
    }
    const listener = new Redis(this.redisServer.port, '127.0.0.1');
    try {
      const channel = `socket.io#/#${chat.id}#`;
      const heard = new Promise((resolve) => {
        listener.on('pmessageBuffer', (pattern, ch, bytes) => { if (String(ch) === channel) resolve(bytes); });
        listener.on('smessageBuffer', (ch, bytes) => resolve(bytes));
      });
      await (this.adapter === 'redis' ? listener.psubscribe('socket.io#/#*') : listener.ssubscribe(channel));
      await say();
      const bytes = foreign(await heard);
      return (pipe) => (this.adapter === 'redis' ? pipe.publish(channel, bytes) : pipe.spublish(channel, bytes));
    } finally { listener.disconnect(); }
  }
}

const cell = (v) => (v === undefined || Number.isNaN(v) ? '' : v.toLocaleString('en', { maximumFractionDigits: Math.abs(v) >= 100 ? 0 : 2 }));

const dir = mkdtempSync(join(tmpdir(), 'parley-count-'));
const results = new Map();
const mongo = await startDatabase(dir);
try {
  for (const adapter of ADAPTERS) {
    for (const pods of PODS) {
      const run = new Run(adapter, pods, results);
      try {
        await run.start(dir, mongo);
        await run.measure();
      } finally { await run.end(); }
    }
  }
  const rows = [...results].map(([row, of]) => [row, ...ADAPTERS.map((a) => cell(of.get(a)))]).sort((a, b) => a[0].localeCompare(b[0], 'en', { numeric: true }));
  const table = aligned([['', ...ADAPTERS], ...rows]);
  const about = `${USERS} users, one socket each, each in ${CHATS.map((c) => `${c.of} chats of ${c.size}`).join(' and ')}, on pods in turn; PRESENCE_TTL=${TTL / 1000}s. ${new Date().toISOString().slice(0, 10)}; ${machine()}; ${((Date.now() - began) / 1000).toFixed(0)} s.`;
  console.log(`${table}\n\n${about}`);
  if (whole) write(fileURLToPath(new URL('../../docs/BENCHMARKS.md', import.meta.url)), `${about}\n\n${table}`, 'counted');
  rmSync(dir, { recursive: true, force: true });
} catch (err) {
  console.error(`${err.stack}\nThe logs are in ${dir}.`);
  process.exitCode = 1;
} finally {
  await mongo.program.kill();
}
process.exit();
