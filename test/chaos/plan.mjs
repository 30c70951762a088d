// What is to break, and when: a plan is a seed and the kinds of faults that are let loose.
import { Random } from './random.mjs';

// How often a minute each happens, and how long it lasts in milliseconds: [least, most].
export const kinds = {
  resets: { often: 40, what: 'connections of pages are reset' },
  vanishings: { often: 14, what: 'connections of pages go silent; nobody is told' },
  'slow readers': { often: 10, lasts: [2_000, 9_000], what: 'pages read 6 KB a second' },
  reloads: { often: 30, lasts: [20, 600], what: 'pages are loaded anew' },
  aways: { often: 20, lasts: [300, 14_000], what: 'pages are closed and opened later' },
  members: { often: 40, lasts: [50, 4_000], what: 'participants are removed and added again' },
  'pod killed': { often: 3, lasts: [500, 5_000], what: 'kill -9, started again' },
  'pod restarted': { often: 3, lasts: [100, 2_000], what: 'SIGTERM, started again' },
  'pod cut off': { often: 5, lasts: [300, 7_000], what: 'nothing passes between one pod and Redis' },
  'pod refused': { often: 4, lasts: [200, 5_000], what: "one pod's connections to Redis are reset and refused" },
  'redis paused': { often: 4, lasts: [300, 9_000], what: 'SIGSTOP, SIGCONT' },
  'redis killed': { often: 3, lasts: [100, 4_000], what: 'kill -9, started again with nothing in it' },
  'redis flushed': { often: 4, what: 'FLUSHALL' },
  'mongo paused': { often: 3, lasts: [300, 5_000], what: 'SIGSTOP, SIGCONT' },
  'mongo away': { often: 3, lasts: [300, 5_000], what: "the pods' connections to MongoDB are reset and refused" },
};

// Kinds named in a text, separated by commas; nothing named is everything.
export function parseKinds(text) {
  const names = (text ?? '').split(',').map((s) => s.trim()).filter(Boolean);
  for (const n of names) if (!kinds[n]) throw new Error(`nothing is called ${JSON.stringify(n)}; there is ${Object.keys(kinds).join(', ')}`);
  return names.length ? names : Object.keys(kinds);
}

// The steps of a plan, in order of time. With many kinds at once each comes less often, so that pods live between.
export function newPlan(seed, names, ms) {
  const random = new Random(seed);
  const thinner = Math.max(1, names.length / 5);
  const steps = [];
  for (const kind of names) {
    const { often, lasts = [0, 1] } = kinds[kind];
    const count = Math.max(1, Math.round((often * ms) / 60_000 / thinner));
    for (let i = 0; i < count; i++) {
      steps.push({ at: random.int(ms), kind, n: random.int(1 << 20), ms: random.between(...lasts) });
    }
  }
  return steps.sort((a, b) => a.at - b.at);
}
