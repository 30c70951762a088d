import assert from 'node:assert/strict';

// Short times, so that a silence is noticed within a test, but longer than a busy machine stands still. All in milliseconds.
export const PING_INTERVAL = 2_200; // above the timeout, so that a pong nobody heard is not made good by the next ping
export const PING_TIMEOUT = 2_000;
export const CONNECT_TIMEOUT = 2_000;
export const slack = 2_000; // what the server may be late by
export const MAX_PAYLOAD = 1_000_000;

// A server that does not end a connection by itself while a test looks at something else.
export const patient = { PING_INTERVAL: '25s', PING_TIMEOUT: '20s', CONNECT_TIMEOUT: '45s' };
export const beating = { ...patient, PING_INTERVAL: `${PING_INTERVAL}ms`, PING_TIMEOUT: `${PING_TIMEOUT}ms` };
export const hasty = { ...patient, CONNECT_TIMEOUT: `${CONNECT_TIMEOUT}ms` };

// What the server waits for ms before did not come sooner. from is taken before the server can have begun to wait.
export function assertNotBefore(from, ms) {
  const took = performance.now() - from;
  assert.ok(took >= ms - 2, `after ${took} ms, not ${ms}`); // Node's timers count whole milliseconds, and two of them add up here
}

// Opens something and at once does what has to be done within ms of that; both anew where this process stood still for longer
// in between, so that the server was right not to wait. Resolves with what was opened, and from before it.
export async function promptly(ms, open, act) {
  for (;;) {
    const from = performance.now();
    const it = await open();
    act(it);
    if (performance.now() - from < ms) return { it, from };
    it.close?.();
  }
}
