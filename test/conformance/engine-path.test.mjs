// Where Socket.IO is found: addTrailingSlash: false in the client, and a path of one's own.
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { transportSets } from '../compat.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { usePod } from './kit/pod.mjs';
import { patient } from './kit/settings.mjs';
import { closeStock, connect, connected, heard } from './kit/stock.mjs';

afterEach(closeStock);

const newest = '4.8.4'; // addTrailingSlash came with 4.6

for (const path of ['/socket.io', '/chat/ws']) {
  describe(`SOCKETIO_PATH=${path}`, () => {
    const pod = usePod({ ...patient, SOCKETIO_PATH: path });
    for (const [set, transports] of Object.entries(transportSets)) {
      for (const options of [{ addTrailingSlash: false }, { addTrailingSlash: true }, {}]) {
        test(`${set}, ${JSON.stringify(options)}`, { timeout: 30_000 }, async () => {
          const socket = connect(pod, newest, { transports, path, ...options });
          const got = heard(socket, 'new_message');
          await connected(socket);
          assert.equal(socket.io.engine.opts.path, options.addTrailingSlash === false ? path : `${path}/`);
          if (!transports) await waitFor(() => socket.io.engine.transport.name === 'websocket', 8_000, 'the upgrade');
          await pod.say(set);
          assert.equal((await got)[0].content, set);
        });
      }
    }

    test('and nowhere else', async () => {
      const socket = connect(pod, newest, { path: '/elsewhere', transports: ['polling'] });
      const [err] = await heard(socket, 'connect_error');
      assert.equal(err.description, 404);
    });
  });
}
