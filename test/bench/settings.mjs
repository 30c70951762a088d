// What a run measures, by the environment; README.md lists it.
const defaults = { BENCH_SOCKETS: 5_000, BENCH_MANY: 19_500, BENCH_ROUNDS: 3, BENCH_MS: 1_000, BENCH_IDLE_MS: 25_000 };
const setting = Object.fromEntries(Object.entries(defaults).map(([k, v]) => [k, Number(process.env[k] || v)]));

const list = (name) => (process.env[name] ?? '').split(',').map((s) => s.trim()).filter(Boolean);

const measures = ['engine', 'connect', 'crowd', 'messages', 'pods', 'many'];
const only = list('BENCH_ONLY');
for (const name of only) if (!measures.includes(name)) throw new Error(`BENCH_ONLY: there is no measure ${name}; there are ${measures.join(', ')}`);
const servers = list('BENCH_SERVERS');
const rooms = list('BENCH_ROOMS').map(Number);

export const { BENCH_SOCKETS: SOCKETS, BENCH_MANY: MANY, BENCH_ROUNDS: ROUNDS, BENCH_MS: SPAN, BENCH_IDLE_MS: IDLE } = setting;

// Whether the document is written: only what was measured as a whole, and as ever, is comparable.
export const full = only.length + servers.length + rooms.length === 0 && Object.keys(defaults).every((k) => setting[k] === defaults[k]);

export const wanted = (measure) => (only.length === 0 || only.includes(measure)) && (measure !== 'many' || MANY > 0);
export const among = (kinds) => kinds.filter((kind) => servers.length === 0 || servers.includes(kind));

export const ENGINE_ROOMS = [5, 100, 1000].filter((n) => n <= SOCKETS);
export const PRODUCT_ROOMS = rooms.length > 0 ? rooms : [5, 100, 500].filter((n) => n <= SOCKETS);
export const CROWD = 500; // the size of the rooms that are large for a connect

export const WARM = 300; // ms
export const SETTLE = 3_000; // ms until what connecting left behind is gone
export const UNDER_WAY = 0.8 * SOCKETS; // deliveries, in closed load: less than one a socket, so that none are read, or written, together
export const PACE = { engine: 20_000, product: 5_000 }; // deliveries a second, in paced load
