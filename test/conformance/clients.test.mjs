// Stock clients by every transport: connect, receive, ack, binary, refusal, the return. Checks the Node columns of README's table.
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { checkTable, transportSets } from '../compat.mjs';
import { waitFor } from '../e2e/harness/wait.mjs';
import { usePod } from './kit/pod.mjs';
import { ask, closeStock, connect, connected, heard, stock } from './kit/stock.mjs';
import { patient } from './kit/settings.mjs';

afterEach(closeStock);

describe('stock clients', () => {
  const pod = usePod({ ...patient, ALLOW_EIO3: 'true' });
  const measured = {};
  for (const version of Object.keys(stock)) {
    measured[version] = {};
    for (const [set, transports] of Object.entries(transportSets)) {
      test(`${version} over ${set}`, { timeout: 30_000 }, async () => {
        measured[version][set] = '**fails**';
        const socket = connect(pod, version, { transports });
        const messages = [];
        socket.on('new_message', (m) => messages.push(m));
        await connected(socket);
        assert.match(socket.id, /^[\w-]{20,24}$/);
        if (!transports) await waitFor(() => socket.io.engine.transport.name === 'websocket', 8_000, 'the upgrade');
        else assert.equal(socket.io.engine.transport.name, transports[0]);
        for (const text of ['one', 'dwa żółw', '三 🐢']) await pod.say(text);
        await waitFor(() => messages.length >= 3, 8_000, () => `3 messages, has ${JSON.stringify(messages)}`);
        assert.deepEqual(messages.map((m) => m.content), ['one', 'dwa żółw', '三 🐢']);
        assert.deepEqual(await ask(socket, 'typing', { chatId: pod.chatId, isTyping: false }), { ok: true });
        assert.deepEqual(await ask(socket, 'typing', { chatId: pod.chatId, isTyping: false, text: 'żółw 🐢', x: Buffer.from([1, 2, 3]) }), { ok: true });

        const nobody = connect(pod, version, { transports, token: null });
        const [err] = await heard(nobody, version.startsWith('2.') ? 'error' : 'connect_error');
        if (version.startsWith('2.')) assert.equal((typeof err === 'string' ? undefined : err.code), 'token_missing', JSON.stringify(err));
        else assert.deepEqual([err.message, err.data?.code], ['Authentication error', 'token_missing']);

        // Leave and come back on the same manager.
        const engine = socket.io.engine;
        socket.disconnect();
        await waitFor(() => engine.readyState === 'closed', 8_000, 'the old connection to end');
        socket.connect();
        await connected(socket);
        await pod.say('again');
        await waitFor(() => messages.some((m) => m.content === 'again'), 8_000, 'the message after the return');
        assert.equal(messages.length, 4);
        measured[version][set] = 'ok';
      });
    }
  }

  test('README says so', () => checkTable('Node', measured));
});
