// CORS: a page of an allowed origin may read what its request was refused for.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { usePod } from './kit/pod.mjs';
import { address, Polling } from './kit/wire.mjs';
import { patient } from './kit/settings.mjs';

const [page, second, stranger] = ['https://page.example', 'https://second.example', 'https://stranger.example'];

const headers = (res) => ({
  origin: res.headers.get('access-control-allow-origin'), credentials: res.headers.get('access-control-allow-credentials'),
  vary: (res.headers.get('vary') ?? '').includes('Origin'),
});

for (const [setting, expected] of [
  ['*', { [page]: { origin: '*', credentials: null, vary: false } }],
  [`${page},${second}`, {
    [page]: { origin: page, credentials: 'true', vary: true },
    [second]: { origin: second, credentials: 'true', vary: true },
    [stranger]: { origin: null, credentials: 'true', vary: true },
  }],
]) {
  describe(`CORS_ORIGIN=${setting}`, () => {
    const pod = usePod({ ...patient, CORS_ORIGIN: setting });
    const ask = (query, origin, more = {}) => fetch(address(pod, query), { headers: { origin, ...more.headers }, method: more.method, signal: AbortSignal.timeout(5_000) });

    for (const [name, query, code] of [
      ['of an unsupported version', () => ({ EIO: '3', transport: 'polling' }), 5],
      ['of another version than its session', async () => ({ EIO: '3', transport: 'polling', sid: (await Polling.open(pod)).sid }), 3],
      ['of no transport', () => ({ EIO: '4' }), 0],
      ['of an unknown session', () => ({ EIO: '4', transport: 'polling', sid: 'nobody' }), 1],
    ]) {
      test(`a request ${name}`, async () => {
        for (const [origin, want] of Object.entries(expected)) {
          const res = await ask(await query(), origin);
          assert.deepEqual([res.status, (await res.json()).code, headers(res)], [400, code, want], origin);
        }
      });
    }

    // Whatever becomes of the request it is for.
    test('a preflight', async () => {
      const { sid } = await Polling.open(pod);
      for (const query of [{ EIO: '4', transport: 'polling' }, { EIO: '3', transport: 'polling' }, { EIO: '3', transport: 'polling', sid }]) {
        for (const [origin, want] of Object.entries(expected)) {
          const res = await ask(query, origin, { method: 'OPTIONS', headers: { 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-mine' } });
          assert.deepEqual([res.status, headers(res)], [204, want]);
          assert.equal(res.headers.get('access-control-allow-headers'), 'x-mine');
          assert.match(res.headers.get('access-control-allow-methods'), /GET/);
        }
      }
    });
  });
}
