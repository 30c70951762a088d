// The measures of Socket.IO servers with nothing around them.
import { connecting, count, down, noteWrong, results, rounds, say, number } from './measures.mjs';
import { engineClients, engineRooms, engines, startEngine } from './servers.mjs';
import { among, ENGINE_ROOMS, IDLE, PACE, SOCKETS, SPAN, UNDER_WAY, WARM } from './settings.mjs';

const SIZES = ENGINE_ROOMS;

const emit = (s, size, bytes, more) => s.ask({
  do: 'emit', warm: WARM, ms: SPAN, bytes, rooms: engineRooms(SOCKETS, size), control: SOCKETS, ...more,
});

async function saturated(running, size, bytes) {
  const where = `rooms of ${number(size)}, ${bytes} B`;
  await rounds(running, async (s) => {
    const r = await emit(s, size, bytes, { window: Math.max(4, Math.round(UNDER_WAY / size)) });
    results.note(`engine: µs CPU a delivery, ${where}`, s.kind, r.us_per_delivery);
    results.note(`engine: deliveries/s, ${where}`, s.kind, r.per_s);
    count('engine', s, r);
  });
  say(`engine: ${where}`);
}

async function paced(running, size) {
  const where = `rooms of ${number(size)}, paced`;
  await rounds(running, async (s) => {
    const r = await emit(s, size, 200, { rate: PACE.engine / size });
    results.note(`engine: ms to receipt, p50, ${where}`, s.kind, r.p50_ms);
    results.note(`engine: ms to receipt, p99, ${where}`, s.kind, r.p99_ms);
    count('engine', s, r);
  });
  say(`engine: ${where}`);
}

export async function measureEngines(dir) {
  const clients = engineClients(SOCKETS, SIZES);
  const running = await connecting('engine', among(engines), (kind) => startEngine(kind, dir), () => clients, SOCKETS, { idling: IDLE });
  for (const size of SIZES) await saturated(running, size, 200);
  for (const bytes of [1024, 4096]) await saturated(running, SIZES[1] ?? SIZES[0], bytes);
  for (const size of SIZES.slice(1)) await paced(running, size);
  noteWrong('engine', running);
  await down(running);
}
