// Parley beside a pod on the stock Go library and its own Redis adapter, which does not speak quite as Node
// does. What works between them works; what does not is shown as it is (README.md has the table), so that
// nobody finds it out in production; and nothing it says harms a Parley pod.
import { describe, test } from 'node:test';
import { objectId } from '../e2e/harness/models.mjs';
import { adapter, assert, only, sorted, subjectIsNode, tags, useCluster, waitFor } from './cluster.mjs';
import { payloads } from './payloads.mjs';
import { buildStock, startStock } from './stock.mjs';

const built = adapter === 'redis' && !subjectIsNode ? buildStock() : {};
const skip = only(adapter === 'redis', 'its other adapters are another matter') || only(!subjectIsNode, 'about Parley') || (built.skip ?? false);

describe('beside the stock Go library', { skip }, () => {
  const ALICE = objectId();
  let bus; // Parley's bus: what a Parley pod says, and more
  let stock;
  let vain; // questions that have no end but their timeout, which is waited for beside the other tests
  const w = useCluster({ node: false }, async (cluster) => {
    [bus, stock] = await Promise.all([cluster.bus(), startStock(cluster, built.file)]);
    await waitFor(async () => await stock.control('serverCount') === 3 && await bus.control('serverCount') === 3, 15_000, 'three pods');
    const question = { event: 'peer:ask', args: [1] };
    vain = Promise.allSettled([
      bus.control('fetchSockets', { to: ['no room'] }), bus.control('serverSideEmitWithAck', question), stock.control('serverSideEmitWithAck', question),
      cluster.chatByRest(cluster.subject, ALICE, [ALICE, objectId()]),
    ]);
  });

  // One socket on either pod, both in a room of their own.
  async function pair() {
    const name = `room-${objectId()}`;
    const [parley, other] = await Promise.all([w.connect(w.subject, objectId()), stocked([name])]);
    await bus.control('socketsJoin', { to: [parley.id], rooms: [name] });
    await settled(bus, name, parley, other);
    return { name, parley, other, both: [parley, other] };
  }

  async function stocked(rooms) {
    const client = w.client(stock, 'nobody', { auth: { rooms } });
    await client.connected();
    await client.ask('joined?');
    return client;
  }

  // The one way that is sure, to one room, carries a marker: what the pod said before it has come.
  async function settled(pod, room, ...clients) {
    const tag = Math.random().toString(36);
    await pod.control('emit', { to: [room], event: 'marker', args: [tag] });
    await Promise.all(clients.map((c) => c.saw('marker', (t) => t === tag)));
  }

  const reached = (clients, event) => clients.map((c) => tags(c, event).length).join('');
  const pods = () => ({ 'from Parley': bus, 'from the library': stock });

  test('messages of Parley reach who is in the room of the chat', async () => {
    const [alice, bob] = [objectId(), objectId()];
    const chat = await w.chat(alice, bob);
    const [page, other] = [await w.connect(w.subject, bob), await stocked([chat])];
    for (const text of ['one', 'žluťoučký kůň 👩‍👩‍👧‍👦', 'three']) await w.said(w.subject, alice, chat, text);
    for (const c of [page, other]) await c.got(3);
    assert.deepEqual(other.calls, page.calls);
    assert.deepEqual(other.texts(), ['one', 'žluťoučký kůň 👩‍👩‍👧‍👦', 'three']);
    // And an event of the library's is one of Parley's.
    const message = { _id: objectId(), chatId: chat, senderId: alice, content: 'by the library', createdAt: new Date().toISOString() };
    await stock.control('emit', { to: [chat], event: 'new_message', args: [message] });
    for (const c of [page, other]) assert.deepEqual(await c.has(message._id), message);
  });

  // What JSON and bytes can say; the library has no word for undefined, dates and NaN.
  const plain = ['unicode', 'booleans and empty', 'nested', 'long text', 'many elements', 'binary', 'binary nested', 'placeholder look-alike', 'no arguments'];
  for (const from of Object.keys(pods())) {
    test(`payloads to one room, ${from}`, async () => {
      const { name, both } = await pair();
      const pod = pods()[from];
      const sent = [...plain.map((kind) => payloads[kind]), [0, 1, -1, 128, -32769, 2 ** 31, 2 ** 53 - 1, 0.1, -1.5, 5e-324]];
      for (const args of sent) await pod.control('emit', { to: [name], event: 'payload', args });
      await settled(pod, name, ...both);
      for (const c of both) assert.deepEqual(c.events.filter((e) => e[0] === 'payload').map((e) => e.slice(1)), sent);
    });

    test(`one room with except, and one socket, ${from}`, async () => {
      const { name, parley, other, both } = await pair();
      const pod = pods()[from];
      await pod.control('emit', { to: [name], except: [parley.id], event: 'except-parley', args: [1] });
      await pod.control('emit', { to: [name], except: [other.id], event: 'except-other', args: [1] });
      await pod.control('emit', { to: [parley.id], event: 'only-parley', args: [1] });
      await pod.control('emit', { to: [other.id], event: 'only-other', args: [1] });
      await settled(pod, name, ...both);
      const all = Object.fromEntries(['except-parley', 'except-other', 'only-parley', 'only-other'].map((e) => [e, reached(both, e)]));
      assert.deepEqual(all, { 'except-parley': '01', 'except-other': '10', 'only-parley': '10', 'only-other': '01' });
    });

    test(`volatile reaches sockets that are not busy, ${from}`, async () => {
      const { name, both } = await pair();
      await waitFor(async () => { // one that is busy misses it, so it may take more than one
        await pods()[from].control('emit', { to: [name], event: 'volatile', args: [1], flags: { volatile: true } });
        await settled(pods()[from], name, ...both);
        return both.every((c) => tags(c, 'volatile').length > 0);
      }, 5_000, 'a volatile event');
    });

    test(`1,000 messages keep their order, ${from}`, async () => {
      const { name, both } = await pair();
      const numbers = Array.from({ length: 1_000 }, (_, i) => i);
      if (from === 'from the library') await stock.control('emit', { to: [name], event: 'number', repeat: 1_000 });
      else for (const n of numbers) await bus.control('emit', { to: [name], event: 'number', args: [n] });
      await settled(pods()[from], name, ...both);
      for (const c of both) assert.deepEqual(tags(c, 'number'), numbers);
    });

    test(`socketsJoin, socketsLeave, disconnectSockets, ${from}`, async () => {
      const { name, parley, other, both } = await pair();
      const pod = pods()[from];
      const second = `${name}-2`;
      // Requests come on another connection than broadcasts: the first broadcast to reach both says that they are in.
      await pod.control('socketsJoin', { to: [name], rooms: [second] });
      await waitFor(async () => {
        await bus.control('emit', { to: [second], event: 'joined', args: [1] });
        await settled(bus, name, ...both);
        return both.every((c) => tags(c, 'joined').length > 0);
      }, 5_000, 'both in the room');
      await pod.control('socketsLeave', { to: [second], except: [other.id], rooms: [second] });
      await waitFor(async () => {
        const before = tags(parley, 'left').length;
        await bus.control('emit', { to: [second], event: 'left', args: [1] });
        await settled(bus, name, ...both);
        return tags(parley, 'left').length === before;
      }, 5_000, 'one to be out');
      assert.ok(tags(other, 'left').length > 0);
      await pod.control('disconnectSockets', { to: [parley.id, other.id], close: false });
      for (const c of both) await waitFor(() => c.disconnects.length === 1, 5_000, 'the disconnect');
      assert.deepEqual(both.map((c) => c.disconnects), [['io server disconnect'], ['io server disconnect']]);
    });
  }

  test('serverSideEmit without an acknowledgement, both ways', async () => {
    await stock.control('serverSideEmit', { event: 'peer:tell', args: [{ n: 1 }, 'ü'] });
    await bus.control('serverSideEmit', { event: 'peer:tell', args: [{ n: 2 }, 'ü'] });
    const heard = async (pod) => waitFor(async () => {
      const told = (await pod.control('heard') ?? []).filter(([event]) => event === 'peer:tell');
      return told.length && told;
    }, 5_000, `${pod.name} to hear`);
    assert.deepEqual([await heard(bus), await heard(stock)], [[['peer:tell', { n: 1 }, 'ü']], [['peer:tell', { n: 2 }, 'ü']]]);
  });

  test('what a client says there: text comes, of bytes an empty object', async () => {
    const { name, parley } = await pair();
    const sender = await stocked([name]);
    sender.socket.emit('say', name, 'text', { a: [1] });
    sender.socket.emit('say', name, Buffer.from('00ff', 'hex'));
    await waitFor(() => parley.events.filter((e) => e[0] === 'said').length === 2, 5_000, 'what was said');
    assert.deepEqual(parley.events.filter((e) => e[0] === 'said'), [['said', 'text', { a: [1] }], ['said', {}]]);
  });

  test('a date comes as the text of the same moment, not as the same text', async () => {
    const { name, both } = await pair();
    await bus.control('emit', { to: [name], event: 'dates', args: [new Date(0), new Date(1)] });
    await settled(bus, name, ...both);
    assert.deepEqual(both.map((c) => c.events.find((e) => e[0] === 'dates').slice(1)), [
      ['1970-01-01T00:00:00.000Z', '1970-01-01T00:00:00.001Z'], ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.001Z'],
    ]);
  });

  test('everybody, several rooms, except alone: heard by Parley, not by the library', async () => {
    const { name, both } = await pair();
    const seen = {};
    for (const [from, pod] of Object.entries(pods())) {
      await pod.control('emit', { event: `all ${from}`, args: [1] });
      await pod.control('emit', { to: [name, `${name}-2`], event: `rooms ${from}`, args: [1] });
      await pod.control('emit', { except: ['nobody'], event: `except ${from}`, args: [1] });
      await settled(pod, name, ...both);
      seen[from] = ['all', 'rooms', 'except'].map((e) => reached(both, `${e} ${from}`));
    }
    assert.deepEqual(seen, { 'from Parley': ['10', '10', '10'], 'from the library': ['11', '11', '11'] });
  });

  test('fetchSockets: whole where the library has some to name', async () => {
    const { name, parley, other, both } = await pair();
    const ids = async (pod, to) => sorted((await pod.control('fetchSockets', { to: [to] })).map((s) => s.id));
    const all = sorted(both.map((c) => c.id));
    assert.deepEqual([await ids(bus, name), await ids(stock, name)], [all, all]);
    assert.deepEqual([await ids(bus, other.id), await ids(stock, parley.id), await ids(stock, 'no room')], [[other.id], [parley.id], []]);
  });

  test('acknowledgements from all: everybody is asked, and the answers do not add up', async () => {
    const { name, parley, other, both } = await pair();
    for (const event of ['ours', 'theirs']) {
      parley.socket.on(event, (_, answer) => answer('parley'));
      other.socket.on(event, (_, answer) => answer('library'));
    }
    const ask = (pod, event) => pod.control('emitWithAck', { to: [name], event, args: [1], flags: { timeout: 1_000 } });
    const [ours, theirs] = await Promise.all([ask(bus, 'ours'), ask(stock, 'theirs')]);
    assert.equal(ours.message, 'operation has timed out');
    // What its client said comes wrapped in a list.
    assert.deepEqual(sorted(ours.responses.map((r) => JSON.stringify(r))), ['"parley"', '["library"]']);
    assert.equal(reached(both, 'ours'), '11');
    // How many it asked it says in a member of another name. That is dropped, counted and said.
    await bus.program.line((l) => l.includes('"cluster message dropped"') && l.includes('clientCount'));
    // It does not understand Parley's answers. Its own client may be asked twice, because it hears its own question,
    // and sometimes the sum then comes out as if everybody had answered.
    assert.deepEqual(new Set(theirs.responses), new Set(['library']));
    await waitFor(() => tags(parley, 'theirs').length === 1, 5_000, 'the question');
  });

  test('what waits for every pod waits in vain: fetchSockets where the library has none, serverSideEmit with an acknowledgement, a new chat', async () => {
    const [none, ours, theirs, chat] = await vain;
    assert.match(none.reason?.message, /not every pod answered in time/);
    assert.match(ours.value.message, /not every pod answered in time/);
    assert.deepEqual(ours.value.responses, [[{ from: 'stock' }]]); // no list in Node's and Parley's words
    assert.match(theirs.value.message, /timeout reached: only 0 responses/);
    // The chat is there all the same.
    await w.subject.program.line((l) => l.includes('not every pod joined its sockets to a new chat'));
    const page = await w.connect(w.subject, ALICE);
    await page.has((await w.said(w.subject, ALICE, chat.value._id, 'hello'))._id);
  });

  // The library says a timeout in nanoseconds, which are milliseconds here: 25 days for what was to be 200 ms.
  test('a question of the library that has its answers costs Parley nothing afterwards', async () => {
    const { name, parley } = await pair();
    parley.socket.on('ask', (_, answer) => answer('parley'));
    const goroutines = async () => Number(/^go_goroutines (\d+)$/m.exec(await (await fetch(`${w.subject.url}/metrics`)).text())[1]);
    const before = await goroutines();
    const ask = (to) => stock.control('emitWithAck', { to: [to], event: 'ask', args: [1], flags: { timeout: 200 } });
    await Promise.all(Array.from({ length: 80 }, (_, i) => ask(i % 2 ? 'no room' : name)));
    await waitFor(() => tags(parley, 'ask').length === 40, 5_000, 'the questions');
    let now;
    await waitFor(async () => { now = await goroutines(); return now < before + 20; }, 5_000, () => `${before} goroutines again; there are ${now}`);
  });

  // The last one: after everything above.
  test('none of it harmed a Parley pod', async () => {
    const [alice, bob] = [objectId(), objectId()];
    const chat = await w.chat(alice, bob);
    const [page, other] = [await w.connect(w.subject, bob), await stocked([chat])];
    assert.equal((await fetch(`${w.subject.url}/readyz`)).status, 200);
    const text = await (await fetch(`${w.subject.url}/metrics`)).text();
    assert.deepEqual(text.split('\n').filter((l) => l.startsWith('parley_cluster_dropped_total') && !l.endsWith(' 0')), []);
    const m = await w.said(w.subject, alice, chat, 'still here');
    for (const c of [page, other]) await c.has(m._id);
    assert.deepEqual([page.disconnects, bus.program.ended, w.subject.program.ended], [[], undefined, undefined]);
  });
});
