// The one rule about time: the balancer's silence must be longer than PING_INTERVAL + PING_TIMEOUT. Everything is
// scaled down, so that "an idle WebSocket outlives the balancer's timeout many times over" takes seconds: with
// 25 s + 20 s and 60 s the same would take minutes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { sleep, waitFor } from '../e2e/harness/wait.mjs';
import { useWorld } from '../e2e/harness/world.mjs';
import { balancers } from './balancers.mjs';

const interval = 1_000;
const w = useWorld({ pods: 2, env: { PING_INTERVAL: `${interval}ms`, PING_TIMEOUT: '2s' } });

const silence = {
  nginx: (to) => [['proxy_read_timeout 60s', `proxy_read_timeout ${to}`], ['proxy_send_timeout 60s', `proxy_send_timeout ${to}`]],
  HAProxy: (to) => [['timeout client 60s', `timeout client ${to}`], ['timeout server 60s', `timeout server ${to}`], ['timeout tunnel 60s', `timeout tunnel ${to}`], ['expire 2m', `expire ${to}`]],
};

for (const { name, start, skip } of balancers) {
  describe(name, { skip }, () => {
    async function behind(timeout, fn) {
      const lb = await start(w.pods.map((p) => new URL(p.url).port), { changes: silence[name](timeout) });
      try { await fn(lb); } finally { await lb.stop(); }
    }
    const clients = (lb, more) => [['websocket'], ['polling']].map((transports) => w.client(lb, objectId(), { transports, ...more }));

    test('longer than both: nobody is cut, in three times that time', { timeout: 40_000 }, async () => {
      await behind('4s', async (lb) => {
        const both = clients(lb);
        for (const c of both) await c.connected();
        await sleep(12_000); // what is to be shown is that nothing happens
        for (const c of both) assert.deepEqual([c.transport, c.connects, c.disconnects, c.socket.connected], [c.transport, 1, [], true]);
      });
    });

    test('shorter than the interval: the balancer cuts what the pod holds alive', { timeout: 40_000 }, async () => {
      await behind('300ms', async (lb) => {
        for (const c of clients(lb, { reconnection: false })) {
          await c.connected();
          await waitFor(() => c.disconnects.length === 1, 3 * interval, `${c.transport} to be cut`);
        }
      });
    });
  });
}
