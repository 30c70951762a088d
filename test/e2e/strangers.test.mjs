// What others write into Redis and MongoDB, and what older versions left there, locks nobody out; a socket id that is
// nobody's makes nobody be sent anything twice, and goes. Contract 7.2, 7.4 and 7.7.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectId } from './harness/models.mjs';
import { ms } from './harness/settings.mjs';
import { waitFor } from './harness/wait.mjs';
import { useWorld } from './harness/world.mjs';

const STRANGER_TTL = 2_000;
const w = useWorld({ pods: 2, env: { STRANGER_TTL: ms(STRANGER_TTL), REPLAY_GRACE: ms(300) } });

async function metric(name) {
  const texts = await Promise.all(w.pods.map(async (p) => (await fetch(`${p.url}/metrics`)).text()));
  return texts.flatMap((t) => t.split('\n')).filter((l) => l.startsWith(name)).reduce((n, l) => n + Number(l.split(' ').at(-1)), 0);
}

// A page of bob's is closed, and its departure noted.
async function closes(bob, page, ...left) {
  page.close();
  await w.present(bob, ...left);
  await waitFor(() => w.redis.hexists(`parley:absence:${bob}`, 'by'), 5_000, 'the departure');
}

test('beside a socket that is nobody\'s a page load is sent what came since the last page, and the socket goes', { timeout: 60_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const a = await w.connect(w.pods[0], alice);
  await w.redis.sadd(`user:${bob}:sockets`, 'leftByACrashedNodePod');
  await w.redis.sadd(`user:${alice}:sockets`, 'leftByAnother');
  for (let i = 0; i < 4; i++) {
    const page = await w.connect(w.pods[i % 2], bob);
    const live = await w.said(w.pods[0], alice, chatId, `live ${i}`);
    await page.has(live._id);
    assert.deepEqual(page.texts(), i === 0 ? ['live 0'] : [`missed ${i - 1}`, `live ${i}`]);
    await closes(bob, page, ...await w.redis.smembers(`user:${bob}:sockets`).then((all) => all.filter((id) => id !== page.id)));
    await w.said(w.pods[0], alice, chatId, `missed ${i}`);
  }
  await a.saw('user_offline', (e) => e.userId === bob, 5 * STRANGER_TTL);
  await w.present(bob);
  await w.present(alice, a.id);
  const back = await w.connect(w.pods[0], bob);
  const live = await w.said(w.pods[0], alice, chatId, 'live');
  await back.has(live._id);
  assert.deepEqual(back.texts(), ['missed 3', 'live']);
  assert.equal(a.named('user_offline').filter((e) => e.userId === bob).length, 1, 'told once');
  assert.equal(await metric('parley_stranger_sockets_total'), 2);
});

test('a note that holds anything refuses nobody, and ends with the next', { timeout: 40_000 }, async () => {
  const alice = objectId();
  const now = Date.now();
  const before = await metric('parley_dropped_total{reason="odd_absence"}');
  const us = (at) => String(at * 1000);
  for (const [what, note] of Object.entries({
    'an event of no message': { since: us(now), seen: '["notice-1","7d444840-9dc0-11d1-b245-5ffdce74fad2"]', by: 's' },
    'no list': { since: us(now), seen: '{', by: 's' },
    'a time to come': { since: us(253402300800000), seen: '[]', by: 's' },
    'no time': { since: 'yesterday', seen: '[]', back: 'tomorrow' },
    'nothing': { x: 'y' },
  })) {
    const bob = objectId();
    const chatId = await w.chat(alice, bob);
    await w.redis.hset(`parley:absence:${bob}`, note);
    const first = await w.connect(w.pods[0], bob, { reconnection: false });
    await first.has((await w.said(w.pods[1], alice, chatId, 'live'))._id);
    await closes(bob, first);
    const missed = await w.said(w.pods[1], alice, chatId, 'missed');
    const again = await w.connect(w.pods[1], bob, { reconnection: false });
    await again.has(missed._id);
    assert.deepEqual(again.texts(), ['missed'], what);
  }
  assert.ok(await metric('parley_dropped_total{reason="odd_absence"}') >= before + 5);
});

test('an absence in the database that holds anything refuses nobody', { timeout: 40_000 }, async () => {
  const alice = objectId();
  const absences = w.connection.collection('parley_absences');
  for (const [what, doc] of Object.entries({
    'an event of no message': { since: new Date(), seen: ['notice-1', null] },
    'a time to come': { since: new Date(8.64e15), seen: [] },
    'words': { since: 'yesterday', seen: 'nothing', back: 7 },
  })) {
    const bob = objectId();
    const chatId = await w.chat(alice, bob);
    await absences.insertOne({ _id: bob, ...doc });
    await w.said(w.pods[1], alice, chatId, 'missed');
    const first = await w.connect(w.pods[0], bob, { reconnection: false });
    await first.has((await w.said(w.pods[1], alice, chatId, 'live'))._id);
    assert.deepEqual(first.texts(), ['missed', 'live'], what);
    await closes(bob, first);
    assert.deepEqual((await w.connect(w.pods[1], bob, { reconnection: false })).texts(), [], what);
  }
});

test('keys of the wrong type refuse nobody', { timeout: 40_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  const before = await metric('parley_dropped_total{reason="odd_key"}');
  await w.redis.set(`user:${bob}:sockets`, 'somebody wrote a string here');
  await w.redis.set(`parley:absence:${bob}`, 'and here');
  const page = await w.connect(w.pods[0], bob, { reconnection: false });
  await w.present(bob, page.id);
  await page.has((await w.said(w.pods[1], alice, chatId, 'live'))._id);
  await w.redis.set(`user:${bob}:sockets`, 'again');
  page.close();
  await waitFor(async () => await w.redis.type(`user:${bob}:sockets`) === 'none', 5_000, 'the word to go');
  await (await w.connect(w.pods[1], bob, { reconnection: false })).has((await w.said(w.pods[0], alice, chatId, 'once more'))._id);
  assert.ok(await metric('parley_dropped_total{reason="odd_key"}') >= before + 3);
});

test('a message dated in a time to come is not sent with every page load', { timeout: 40_000 }, async () => {
  const [alice, bob] = [objectId(), objectId()];
  const chatId = await w.chat(alice, bob);
  let page = await w.connect(w.pods[0], bob);
  await closes(bob, page);
  await w.Message.collection.insertOne({
    chatId: (await w.Chat.findById(chatId))._id, senderId: alice, type: 'text', textMessage: 'from the year 9999', createdAt: new Date('9999-01-01'), updatedAt: new Date(8.64e15),
  });
  for (let i = 0; i < 2; i++) {
    page = await w.connect(w.pods[0], bob);
    await page.has((await w.said(w.pods[0], alice, chatId, `live ${i}`))._id);
    assert.deepEqual(page.texts(), [`live ${i}`]);
    await closes(bob, page);
  }
});
