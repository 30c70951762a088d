// Users Parley has not seen yet, who come from Node: they are not sent again all that came since Parley was
// there. Parley looks who is online on Node; what came before that was theirs already.
import { describe, test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { sleep } from '../e2e/harness/wait.mjs';
import { adapter, assert, only, subjectIsNode, useCluster, waitFor } from './cluster.mjs';

// How long a dead connection may go unnoticed; what came in that time before is sent again.
const UNHEARD = 4_000;
const w = useCluster({ env: { PING_INTERVAL: '2s', PING_TIMEOUT: '2s' } });

describe(`from Node to Parley for the first time (${adapter})`, { skip: only(!subjectIsNode, 'about Parley') }, () => {
  async function onNode(user, chat) {
    const c = await w.connect(w.node, user);
    await waitFor(async () => (await w.node.control('fetchSockets', { to: [chat], flags: { local: true } })).some((s) => s.id === c.id), 5_000, 'the room');
    return c;
  }
  const replay = async (user, alice, chat) => {
    const back = await w.connect(w.subject, user);
    const live = await w.said(w.subject, alice, chat, 'live');
    await back.has(live._id);
    return back.texts();
  };

  test('what a Node pod gave them long ago is not sent again, what they missed is', { timeout: 40_000 }, async (t) => {
    const [alice, bob, carol] = [objectId(), objectId(), objectId()];
    const chat = await w.chat(alice, bob, carol);
    const [b, c] = [await onNode(bob, chat), await onNode(carol, chat)];
    const old = await w.said(w.node, alice, chat, 'long ago');
    for (const x of [b, c]) await x.has(old._id);
    await sleep(UNHEARD + 3_000); // and they go on being online
    for (const [x, user] of [[b, bob], [c, carol]]) {
      x.close();
      await w.present(user);
    }
    await w.said(w.node, alice, chat, 'missed');
    const got = await replay(bob, alice, chat);
    t.diagnostic(`sent to Bob: ${got}`);
    assert.deepEqual(got, ['missed', 'live']);

    // Nobody saw Dave on Node: then everything since Parley came is what may have been missed.
    const dave = objectId();
    await w.Chat.updateOne({ _id: chat }, { $push: { participants: dave } });
    assert.deepEqual((await replay(dave, alice, chat)).slice(0, 2), ['long ago', 'missed']);
    // Carol was away a little longer.
    assert.deepEqual(await replay(carol, alice, chat), ['missed', 'live', 'live', 'live']);
  });
});
