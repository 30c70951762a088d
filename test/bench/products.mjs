// The measures of whole servers: POST in, new_message out.
import { openModels } from '../e2e/harness/models.mjs';
import { connecting, count, down, idle, noteWrong, number, results, rounds, say, up } from './measures.mjs';
import { people, products, startPair, startProduct } from './servers.mjs';
import { among, CROWD, PACE, PRODUCT_ROOMS, SETTLE, SOCKETS, SPAN, UNDER_WAY, WARM } from './settings.mjs';

// Databases with chats in them.
let databases = 0;
export async function seeded(mongo, parts) {
  const name = `bench${databases++}`;
  const world = people(parts);
  const { connection, Chat } = await openModels(`${mongo.uri}${name}`);
  try {
    for (let i = 0; i < world.chats.length; i += 1_000) {
      await Chat.insertMany(world.chats.slice(i, i + 1_000).map((c) => ({ _id: c.id, participants: c.members })));
    }
  } finally { await connection.close(); }
  return { name, ...world };
}

// What a connect costs with its chats being told: everybody who is in them comes.
export async function measureConnects(dir, mongo, size, total, memory) {
  const world = await seeded(mongo, [{ size, count: Math.floor(total / size) }]);
  const start = (kind) => startProduct(kind, dir, mongo.uri, world.name);
  const options = { where: `, rooms of ${number(size)}`, settle: SETTLE, memory };
  await down(await connecting('product', among(products), start, () => world.clients, world.clients.length, options));
}

const saturation = (size) => ({ window: Math.min(16, Math.max(4, Math.round(UNDER_WAY / size))) });
const pace = (size) => ({ rate: Math.min(100, PACE.product / size) });
const PACED_SPAN = 2 * SPAN; // the largest rooms have ten messages a second

function fanout(s, size, more) {
  const chats = s.chats.filter((c) => c.size === size);
  return s.ask({
    do: 'fanout', warm: WARM, ms: SPAN, bytes: 200, rooms: chats.map((c) => c.id), tokens: chats.map((c) => c.token), workers: 8,
    post: s.post, beside: s.beside, ...more,
  });
}

const chatsOf = (size) => Math.max(1, Math.floor((size > 100 ? 1_000 : 2_000) / size * Math.min(1, SOCKETS / 5_000)));

// Each server with a database and chats of its own: what one has stored is not in the other's way.
async function populated(mongo, kinds, parts, start) {
  const worlds = new Map();
  for (const kind of kinds) worlds.set(kind, await seeded(mongo, parts));
  const running = await up(kinds, (kind) => start(kind, worlds.get(kind).name), (kind) => worlds.get(kind).clients, SETTLE);
  for (const s of running) s.chats = worlds.get(s.kind).chats;
  return running;
}

export async function measureMessages(dir, mongo) {
  const parts = PRODUCT_ROOMS.map((size) => ({ size, count: chatsOf(size) }));
  const running = await populated(mongo, among(products), parts, (kind, name) => startProduct(kind, dir, mongo.uri, name));
  for (const size of PRODUCT_ROOMS) {
    const where = `rooms of ${number(size)}`;
    await rounds(running, async (s) => {
      const r = await fanout(s, size, saturation(size));
      results.note(`product: µs CPU a delivery, ${where}`, s.kind, r.us_per_delivery);
      results.note(`product: deliveries/s, ${where}`, s.kind, r.per_s);
      results.note(`product: courtesy events, % of deliveries, ${where}`, s.kind, (100 * r.courtesies) / Math.max(1, r.deliveries));
      count('product', s, r);
    });
    say(`product: ${where}`);
  }
  for (const size of PRODUCT_ROOMS.filter((n) => n !== 100)) { // between the two that have a target
    const where = `rooms of ${number(size)}, paced`;
    await rounds(running, async (s) => {
      const r = await fanout(s, size, { ms: PACED_SPAN, ...pace(size) });
      results.note(`product: ms from POST to the last receipt, p50, ${where}`, s.kind, r.last_p50_ms);
      results.note(`product: ms from POST to the last receipt, p99, ${where}`, s.kind, r.last_p99_ms);
      count('product', s, r);
    });
    say(`product: ${where}`);
  }
  noteWrong('product', running);
  await down(running);
}

// Two pods on one Redis: one is posted to, the other has all sockets.
export async function measurePods(dir, mongo) {
  const sizes = PRODUCT_ROOMS.filter((size) => size !== 100);
  const parts = sizes.map((size) => ({ size, count: Math.max(1, Math.floor(Math.min(500, SOCKETS) / size)) }));
  const running = await populated(mongo, among(products), parts, (kind, name) => startPair(kind, dir, mongo.uri, name));
  await idle(running, SETTLE);
  for (const size of sizes) {
    const where = `rooms of ${number(size)}`;
    await rounds(running, async (s) => {
      const r = await fanout(s, size, saturation(size));
      const per = r.messages / Math.max(1, r.deliveries);
      results.note(`two pods: µs CPU a delivery, both, ${where}`, s.kind, r.us_per_delivery + r.beside_us_per_message.post * per);
      results.note(`two pods: µs CPU a message, the pod posted to, ${where}`, s.kind, r.beside_us_per_message.post);
      results.note(`two pods: µs CPU a message, the pod with the sockets, ${where}`, s.kind, r.us_per_message);
      results.note(`two pods: µs CPU a message, Redis, ${where}`, s.kind, r.beside_us_per_message.redis);
      results.note(`two pods: deliveries/s, ${where}`, s.kind, r.per_s);
      count('two pods', s, r);
    });
    say(`two pods: ${where}`);
  }
  noteWrong('two pods', running);
  await down(running);
}

export const crowd = Math.min(2 * CROWD, SOCKETS);
