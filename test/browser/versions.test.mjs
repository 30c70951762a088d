// Every stock client's own browser build in a real Chromium, by transport, from Parley's origin and from another. Checks the
// Chromium columns of README's table. Contract 2, 3 and 8.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { checkTable, transportSets, versions } from '../compat.mjs';
import { check, complaints } from './exchange.mjs';
import { openPage, otherOrigin, strangers, useWorld } from './world.mjs';

const require = createRequire(import.meta.url);

const w = useWorld(async (world) => {
  const friend = await otherOrigin(() => '<!doctype html><title>friend</title>');
  world.close = () => friend.close();
  world.friend = friend.origin;
  // Clients before 4.6 do not say that they were here before: within the grace they count as further devices, and are sent again what they had.
  return { ALLOW_EIO3: 'true', CORS_ORIGIN: friend.origin, REPLAY_GRACE: '0s' };
}, async (world) => { world.demo = await (await fetch(`${world.url}/demo.json`)).json(); });

const places = {
  // A document of Parley's with no client in it yet.
  'the same origin': { from: () => `${w.url}/healthz`, withCredentials: false },
  'another origin': { from: () => w.friend, withCredentials: false },
  'another origin, with credentials': { from: () => w.friend, withCredentials: true },
};

// In the page: how a client whose token is no good is told so. It may be trying to upgrade then, and Chromium complains
// that it gives that up.
function refusal({ url, options, event }) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), 8_000);
    const socket = globalThis.io(url, { ...options, forceNew: true, reconnection: false });
    socket.once('connect', () => reject(new Error('let in')));
    socket.once(event, ({ message, code, data }) => { clearTimeout(timer); resolve({ message, code, data }); });
  });
}

const measured = {};
for (const [version, name] of Object.entries(versions(require))) {
  const old = version.startsWith('2.');
  const tokenIn = old ? 'query' : 'auth';
  const passed = []; // a transport set once for each place
  measured[version] = passed;

  for (const [place, { from, withCredentials }] of Object.entries(places)) {
    test(`${version} from ${place}`, { timeout: 60_000 }, async () => {
      const { context, page, seen } = await openPage(w.browser);
      await page.goto(from());
      await page.addScriptTag({ path: require.resolve(`${name}/dist/socket.io.js`) });
      const failures = [];
      for (const [set, transports] of Object.entries(transportSets)) {
        const options = { withCredentials, ...(transports && { transports }) };
        const before = complaints(seen).length;
        try {
          await check(page, w, options, tokenIn);
          assert.deepEqual(complaints(seen).slice(before), []);
          const refused = await page.evaluate(refusal, { url: w.url, options: { ...options, [tokenIn]: { token: 'nonsense' } }, event: old ? 'error' : 'connect_error' });
          if (old) assert.equal(refused.code, 'token_malformed');
          else assert.deepEqual([refused.message, refused.data?.code], ['Authentication error', 'token_malformed']);
          passed.push(set);
        } catch (error) { failures.push(new Error(`over ${set}`, { cause: error })); }
      }
      // All of them are run, so that the table has what each is like.
      if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message, cause }) => `${message}: ${cause.message}`).join('\n'));
      assert.deepEqual(strangers(seen, w.url, from()), []);
      await context.close();
    });
  }
}

test('README says so', () => {
  const cell = (passed, set) => (passed.filter((one) => one === set).length === Object.keys(places).length ? 'ok' : '**fails**');
  checkTable('Chromium', Object.fromEntries(Object.entries(measured).map(([version, passed]) => [version, Object.fromEntries(Object.keys(transportSets).map((set) => [set, cell(passed, set)]))])));
});
