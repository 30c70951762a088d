// Sockets in users' sets that are none of Parley's: a Node pod answers for its own, and nobody for those of one
// that was killed. And events from Node that are of no message of Parley's.
import { describe, test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { sleep } from '../e2e/harness/wait.mjs';
import { adapter, assert, only, subjectIsNode, useCluster, waitFor } from './cluster.mjs';

const STRANGER_TTL = 2_000;
const w = useCluster({ env: { STRANGER_TTL: `${STRANGER_TTL}ms`, REPLAY_GRACE: '300ms' } });

describe(`what is not Parley's (${adapter})`, { skip: only(!subjectIsNode, 'about Parley') }, () => {
  async function closes(user, page, ...left) {
    page.close();
    await w.present(user, ...left);
    await waitFor(() => w.redis.hexists(`parley:absence:${user}`, 'by'), 5_000, 'the departure');
  }

  test('a desktop on Node stays, the socket of a Node pod that was killed goes, and nothing is sent twice', { timeout: 90_000 }, async (t) => {
    const [alice, bob, carol] = [objectId(), objectId(), objectId()];
    const chat = await w.chat(alice, bob, carol);
    const a = await w.connect(w.subject, alice);
    const dying = await w.peer();
    await w.joined();
    const desktop = await w.connect(w.node, bob);
    const ghosts = [await w.connect(dying, bob, { reconnection: false }), await w.connect(dying, carol, { reconnection: false })].map((c) => c.id);
    const expected = async () => (await w.sockets(bob)).filter((id) => id === desktop.id || id === ghosts[0]);
    await w.present(bob, desktop.id, ghosts[0]);
    let page = await w.connect(w.subject, bob);
    await page.has((await w.said(w.subject, alice, chat, 'live'))._id);
    await dying.program.kill();
    const killed = Date.now();
    for (let i = 0; Date.now() - killed < 3 * STRANGER_TTL || (await w.sockets(bob)).includes(ghosts[0]) || (await w.sockets(carol)).length > 0; i++) {
      assert.ok(Date.now() - killed < 60_000, `the ghosts to go: ${await w.sockets(bob)}`);
      await closes(bob, page, ...await expected().then((all) => all.filter((id) => id !== page.id)));
      const missed = await w.said(w.subject, alice, chat, `missed ${i}`);
      page = await w.connect(w.subject, bob);
      const live = await w.said(w.subject, alice, chat, `live ${i}`);
      await page.has(live._id);
      assert.deepEqual(page.ids(), [missed._id, live._id]);
      await desktop.has(live._id);
      await sleep(1_000);
    }
    t.diagnostic(`the ghosts were gone after ${Date.now() - killed} ms at most`);
    await w.present(bob, desktop.id, page.id);
    assert.deepEqual(a.named('user_offline').map((e) => e.userId), [carol]);
    assert.equal(new Set(desktop.ids()).size, desktop.ids().length);
  });

  test('a new_message of no message is delivered, and who heard it comes back', { timeout: 60_000 }, async () => {
    for (const _id of ['notice-1', '7d444840-9dc0-11d1-b245-5ffdce74fad2', 7, null, { $oid: 'x' }, 'x'.repeat(100_000)]) {
      const [alice, bob] = [objectId(), objectId()];
      const chat = await w.chat(alice, bob);
      const first = await w.connect(w.subject, bob, { reconnection: false });
      // Twice: Parley knows no message by that id, and takes none for a repetition.
      const createdAt = '+275760-09-13T00:00:00.000Z';
      for (let i = 0; i < 2; i++) await w.node.control('emit', { to: [chat], event: 'new_message', args: [{ _id, chatId: chat, senderId: 's', content: 'x', createdAt }] });
      await first.got(2);
      assert.deepEqual(first.calls[0], [{ _id, chatId: chat, senderId: 's', content: 'x', createdAt }]);
      await closes(bob, first);
      const missed = await w.said(w.subject, alice, chat, 'missed');
      const again = await w.connect(w.subject, bob, { reconnection: false });
      await again.has(missed._id);
      assert.deepEqual(again.texts(), ['missed']);
      again.drop();
      await w.present(bob);
      assert.deepEqual((await w.connect(w.subject, bob, { reconnection: false })).texts(), []);
    }
    const metrics = await (await fetch(`${w.subject.url}/metrics`)).text();
    assert.match(metrics, /parley_dropped_total\{reason="odd_message_id"\} 12/);
  });
});
