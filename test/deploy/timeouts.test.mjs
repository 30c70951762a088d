// The one rule about time: the balancer's silence must be longer than PING_INTERVAL + PING_TIMEOUT. Everything is
// scaled down, so that "an idle WebSocket outlives the balancer's timeout many times over" takes seconds: with
// 25 s + 20 s and 60 s the same would take minutes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { sleep, waitFor } from '../e2e/harness/wait.mjs';
import { useWorld } from '../e2e/harness/world.mjs';
import { balancers } from './balancers.mjs';

const w = useWorld({ pods: 2, env: { PING_INTERVAL: '1s', PING_TIMEOUT: '6s' } });

const silence = {
  nginx: (to) => [['proxy_read_timeout 60s', `proxy_read_timeout ${to}`], ['proxy_send_timeout 60s', `proxy_send_timeout ${to}`]],
  HAProxy: (to) => [['timeout client 60s', `timeout client ${to}`], ['timeout server 60s', `timeout server ${to}`], ['timeout tunnel 60s', `timeout tunnel ${to}`], ['expire 2m', `expire ${to}`]],
};

// Behind each balancer at once, a client of each transport: most of the time is spent waiting.
async function behindEach(t, pods, timeout, options, fn) {
  const runs = balancers.map(async ({ name, start, skip }) => {
    if (skip) return;
    const lb = await start(pods.map((p) => new URL(p.url).port), { changes: silence[name](timeout) });
    try {
      await Promise.all([['websocket'], ['polling']].map((transports) => fn(w.client(lb, objectId(), { transports, ...options }), transports[0])));
    } finally { await lb.stop(); }
  });
  await Promise.allSettled(runs);
  for (const [i, { name, skip }] of balancers.entries()) await t.test(name, { skip }, () => runs[i]);
}

test('longer than both: nobody is cut, in three times that time', { timeout: 60_000 }, async (t) => {
  await behindEach(t, w.pods, '9s', {}, async (c, transport) => {
    await c.connected();
    await sleep(27_000); // what is to be shown is that nothing happens
    assert.deepEqual([c.transport, c.connects, c.disconnects, c.socket.connected], [transport, 1, [], true]);
  });
});

test('shorter than the interval: the balancer cuts what the pod holds alive', { timeout: 60_000 }, async (t) => {
  const pods = await Promise.all([1, 2].map(() => w.pod({ PING_INTERVAL: '20s', PING_TIMEOUT: '20s' })));
  await behindEach(t, pods, '3s', { reconnection: false }, async (c, transport) => {
    await waitFor(() => c.connects === 1, 10_000, () => `${transport} to connect: ${c.errors}`);
    await waitFor(() => c.disconnects.length === 1, 15_000, `${transport} to be cut`);
  });
});
