// The checker finds what is wrong with histories that are known to be broken, and nothing in those that are fine.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, tally } from './check.mjs';
import { settings } from './settings.mjs';

const t0 = 1_800_000_000_000;

// A small world: ann says three messages to chat c, a second apart; bob has page b1 from the beginning.
class Tale {
  events = [];

  constructor({ lib = '4.8.4', modern = true, eio3 = false, second = false } = {}) {
    this.kind = { version: lib, modern, eio3 };
    this.at(0, 'run', { seed: 1 });
    this.at(0, 'chat', { chat: 'c', members: ['ann', 'bob', 'eve'] });
    this.open(0, 'b1').on(10, 'b1', 1);
    if (second) this.open(0, 'o1', 'other').on(10, 'o1', 1);
    for (let n = 0; n < 3; n++) this.said(1000 * (n + 1), n);
  }

  at(ms, e, fields) { this.events.push({ t: t0 + ms, e, ...fields }); return this; }

  open(ms, page, seat = 'seat', user = 'bob') { return this.at(ms, 'page', { page, seat, user, ...this.kind }); }

  on(ms, page, conn, sid = `${page}-${conn}`) { return this.at(ms, 'conn', { page, conn, sid }); }

  off(ms, page, conn, how = 'reset') { return this.at(ms, 'break', { page, conn, how }).at(ms + 5, 'disc', { page, conn, why: 'transport close' }); }

  said(ms, n, { pod = 'pod1', tries = 1, answered = true } = {}) {
    const tag = `ann.c.${n}`;
    this.at(ms - 5, 'ask', { tag, sender: 'ann', chat: 'c', n });
    if (answered) this.at(ms + 5, 'answer', { tag, id: `m${n}`, at: t0 + ms, pod, tries });
    return this.at(60_000, 'stored', { id: `m${n}`, tag, sender: 'ann', chat: 'c', at: t0 + ms });
  }

  got(ms, n, page = 'b1', conn = 1) { return this.at(ms, 'got', { page, conn, id: `m${n}` }); }

  move(op, asked, answered, n = asked) {
    const m = { op, chat: 'c', user: 'bob', n };
    return this.at(asked, 'member', { ...m, phase: 'ask' }).at(answered, 'member', { ...m, phase: 'answer' });
  }

  fault(what, from, to) { return this.at(from, 'fault', { what, n: from, phase: 'begin' }).at(to, 'fault', { what, n: from, phase: 'end' }); }

  told(ms, online, page = 'b1', conn = 1) { return this.at(ms, 'told', { page, conn, user: 'eve', online }); }

  found() { return tally(check(this.events.sort((a, b) => a.t - b.t)).found); }
}

const all = (tale) => tale.got(1010, 0).got(2010, 1).got(3010, 2);

const cases = {
  'nothing wrong': [() => all(new Tale()), {}],
  'lost by a client that recovers': [() => new Tale().got(1010, 0).got(3010, 2), { 'lost modern': 1 }],
  'lost by an older one': [() => new Tale({ modern: false }).got(1010, 0).got(3010, 2), { 'lost older': 1 }],
  'lost over a reload': [() => new Tale().got(1010, 0).off(1500, 'b1', 1, 'closed').at(1500, 'closed', { page: 'b1' }).open(2500, 'b2').on(2600, 'b2', 1).got(3010, 2, 'b2'), { 'lost reloads': 1 }],
  'had over a reload': [() => new Tale().got(1010, 0).at(1500, 'closed', { page: 'b1' }).open(2500, 'b2').on(2600, 'b2', 1).got(2610, 1, 'b2').got(3010, 2, 'b2'), {}],
  'under way as the page was closed': [() => new Tale().got(1010, 0).off(2010, 'b1', 1, 'closed').at(2010, 'closed', { page: 'b1' }).open(2500, 'b2').on(2600, 'b2', 1).got(3010, 2, 'b2'), { 'unknowable lost': 1 }],
  'under way as an older client was cut': [() => new Tale({ modern: false }).got(1010, 0).off(2010, 'b1', 1).on(2600, 'b1', 2).got(3010, 2, 'b1', 2), { 'unknowable lost': 1 }],
  'told late, just as an older client was cut': [() => new Tale({ modern: false }).got(1010, 0).open(0, 'e1', 'eves', 'eve').on(10, 'e1', 1).got(1010, 0, 'e1').got(2010, 1, 'e1').got(3010, 2, 'e1')
    .open(0, 'e2', 'eves2', 'eve').on(10, 'e2', 1).got(1010, 0, 'e2').got(5100, 1, 'e2').got(5100, 2, 'e2').off(5000, 'b1', 1).on(5600, 'b1', 2), { 'unknowable lost': 2 }],
  'told late to others, long before an older client was cut': [() => new Tale({ modern: false }).got(1010, 0).open(0, 'e1', 'eves', 'eve').on(10, 'e1', 1).got(1010, 0, 'e1').got(2010, 1, 'e1').got(3010, 2, 'e1')
    .open(0, 'e2', 'eves2', 'eve').on(10, 'e2', 1).got(1010, 0, 'e2').got(4600, 1, 'e2').got(4600, 2, 'e2').off(5000, 'b1', 1).on(5600, 'b1', 2), { 'lost older': 2 }],
  'under way as one was cut that recovers: lost all the same': [() => new Tale().got(1010, 0).off(2010, 'b1', 1).on(2600, 'b1', 2).got(3010, 2, 'b1', 2), { 'lost modern': 1 }],
  'away beside another device': [() => all(new Tale({ second: true })).got(1010, 0, 'o1').off(1500, 'o1', 1, 'closed').at(1500, 'closed', { page: 'o1' }).open(2500, 'o2', 'other').on(2600, 'o2', 1).got(3010, 2, 'o2'), {}],
  'an older client cut beside another device': [() => all(new Tale({ second: true, modern: false })).got(1010, 0, 'o1').off(1500, 'o1', 1).on(2600, 'o1', 2).got(3010, 2, 'o1', 2), {}],
  'one that recovers cut beside another device': [() => all(new Tale({ second: true })).got(1010, 0, 'o1').off(1500, 'o1', 1).on(2600, 'o1', 2).got(3010, 2, 'o1', 2), { 'lost modern': 1 }],
  'connected beside another device': [() => all(new Tale({ second: true })).got(1010, 0, 'o1').got(3010, 2, 'o1'), { 'lost modern': 1 }],
  'a dead 2.x connection': [() => new Tale({ modern: false, eio3: true }).got(1010, 0).off(1200, 'b1', 1, 'silent').on(2600, 'b1', 2).got(3010, 2, 'b1', 2), {}],
  'a dead connection of protocol 4': [() => new Tale({ modern: false }).got(1010, 0).off(1200, 'b1', 1, 'silent').on(2600, 'b1', 2).got(3010, 2, 'b1', 2), { 'lost older': 1 }],
  'twice on one connection': [() => all(new Tale()).got(4000, 1), { 'twice modern': 1 }],
  'twice over connections': [() => all(new Tale()).off(5000, 'b1', 1).on(5500, 'b1', 2).got(5600, 1, 'b1', 2), { 'twice modern': 1 }],
  'twice, cut before the offset': [() => all(new Tale()).off(3011, 'b1', 1).on(5500, 'b1', 2).got(5600, 2, 'b1', 2), { 'unknowable twice modern': 1 }],
  'twice, just before, in quiet times': [() => all(new Tale()).off(3011, 'b1', 1).on(5500, 'b1', 2).got(5600, 1, 'b1', 2), { 'twice modern': 1 }],
  'twice in quiet times, whatever the pod was sure of': [() => all(new Tale()).at(3011, 'offset', { page: 'b1', conn: 1, heard: t0 }).off(3050, 'b1', 1).on(5500, 'b1', 2).got(5600, 1, 'b1', 2), { 'twice modern': 1 }],
  'twice, and the pod was not sure': [() => all(new Tale()).at(3011, 'offset', { page: 'b1', conn: 1, heard: t0 + 1900 }).fault('pod killed', 3050, 4000).off(3060, 'b1', 1, 'pod killed').on(5500, 'b1', 2).got(5600, 1, 'b1', 2), { 'unknowable twice modern': 1 }],
  'twice, though the pod was sure': [() => all(new Tale()).at(3011, 'offset', { page: 'b1', conn: 1, heard: t0 + 2900 }).fault('pod killed', 3050, 4000).off(3060, 'b1', 1, 'pod killed').on(5500, 'b1', 2).got(5600, 1, 'b1', 2), { 'twice modern': 1 }],
  'twice for an older client': [() => all(new Tale({ modern: false })).off(9000, 'b1', 1).on(9500, 'b1', 2).got(9600, 1, 'b1', 2), { 'twice older': 1 }],
  'twice for an older one whose connection died unseen': [() => all(new Tale({ modern: false })).off(9000, 'b1', 1, 'silent').on(9500, 'b1', 2).got(9600, 1, 'b1', 2), { 'unknowable twice older': 1 }],
  'twice for an older one, long before it died unseen': [() => all(new Tale({ modern: false })).off(19_000, 'b1', 1, 'silent').on(19_500, 'b1', 2).got(19_600, 1, 'b1', 2), { 'twice older': 1 }],
  'twice for an older one whose pod was deaf and died': [() => all(new Tale({ modern: false })).fault('redis paused', 9_000, 18_000).fault('pod killed', 19_000, 19_400).off(19_000, 'b1', 1, 'pod killed').on(19_500, 'b1', 2).got(19_600, 1, 'b1', 2), { 'unknowable twice older': 1 }],
  'again on a page loaded anew': [() => all(new Tale()).off(9000, 'b1', 1, 'closed').at(9000, 'closed', { page: 'b1' }).open(9100, 'b2').on(9500, 'b2', 1).got(9600, 1, 'b2'), { 'twice reloads': 1 }],
  'every message twice': [() => all(all(new Tale({ second: true }).got(1010, 0, 'o1').got(2010, 1, 'o1').got(3010, 2, 'o1'))), { 'twice modern': 3 }],
  'both devices, fine': [() => all(new Tale({ second: true })).got(1010, 0, 'o1').got(2010, 1, 'o1').got(3010, 2, 'o1'), {}],
  'out of order': [() => new Tale().got(2010, 1).got(2020, 0).got(3010, 2), { order: 1 }],
  'on two connections, in whatever order': [() => new Tale().got(2010, 1).off(2500, 'b1', 1).on(2600, 'b1', 2).got(2700, 0, 'b1', 2).got(3010, 2, 'b1', 2), {}],
  'sent and not stored': [() => all(new Tale()).at(4000, 'got', { page: 'b1', conn: 1, id: 'x' }), { 'not stored': 1 }],
  'leaked: said while out': [() => all(new Tale()).move('remove', 1500, 1510), { leaked: 2 }],
  'leaked: told after the adding': [() => new Tale().got(1010, 0).got(2700, 1).got(3010, 2).move('remove', 1500, 1510).move('add', 2500, 2510), { leaked: 1 }],
  'leaked: on its way for too long': [() => new Tale().got(1710, 0).move('remove', 1500, 1510), { leaked: 1 }],
  'on its way as the removal was answered': [() => new Tale().got(1560, 0).move('remove', 1500, 1510), {}],
  'stored while they were out, told at a later try': [() => all(new Tale()).at(4_995, 'ask', { tag: 'ann.c.9', sender: 'ann', chat: 'c', n: 9 }).at(9_000, 'answer', { tag: 'ann.c.9', id: 'm9', at: t0 + 5_000, pod: 'pod1', tries: 3 }).at(60_000, 'stored', { id: 'm9', tag: 'ann.c.9', sender: 'ann', chat: 'c', at: t0 + 5_000 }).at(9_010, 'got', { page: 'b1', conn: 1, id: 'm9' }).move('remove', 4_000, 4_010).move('add', 7_000, 7_010), {}],
  'out and in again, fine': [() => new Tale().got(1010, 0).got(3010, 2).move('remove', 1500, 1510).move('add', 2500, 2510), {}],
  'while the removal was asked for, either way': [() => new Tale().got(1010, 0).got(2010, 1).move('remove', 1500, 2600), {}],
  'removed before they were back': [() => new Tale().off(500, 'b1', 1).move('remove', 1500, 1510).on(1600, 'b1', 2), {}],
  'removed long after': [() => new Tale().got(2010, 1).got(3010, 2).move('remove', 3500, 3510), { 'lost modern': 1 }],
  'removed before the pods heard each other again': [() => new Tale().got(2010, 1).got(3010, 2).fault('pod refused', 500, 1500).move('remove', 3500, 3510), {}],
  'removed long after the pods heard each other again': [() => new Tale().got(2010, 1).got(3010, 2).fault('pod refused', 500, 1500).move('remove', 13_500, 13_510), { 'lost modern': 1 }],
  'said before the pods were deaf, and removed': [() => new Tale().got(2010, 1).got(3010, 2).fault('pod refused', 2500, 3200).move('remove', 3500, 3510), { 'lost modern': 1 }],
  'a ghost': [() => all(new Tale()).at(9000, 'set', { user: 'bob', ids: ['b1-1', 'zz'], expected: ['b1-1'], when: 'settled' }), { ghost: 1 }],
  'not in the set': [() => all(new Tale()).at(9000, 'set', { user: 'bob', ids: [], expected: ['b1-1'], when: 'settled' }), { absent: 1 }],
  'as it should be': [() => all(new Tale()).at(9000, 'set', { user: 'bob', ids: ['b1-1'], expected: ['b1-1'], when: 'settled' }), {}],
  'a 2.x client there under some name': [() => all(new Tale()).at(9000, 'set', { user: 'bob', ids: ['b1-1', 'zz'], expected: ['?', 'b1-1'], when: 'settled' }), {}],
  'a 2.x client that is not': [() => all(new Tale()).at(9000, 'set', { user: 'bob', ids: ['b1-1'], expected: ['b1-1', '?'], when: 'settled' }), { absent: 1 }],
  'a ghost beside a 2.x client': [() => all(new Tale()).at(9000, 'set', { user: 'bob', ids: ['b1-1', 'yy', 'zz'], expected: ['?', 'b1-1'], when: 'settled' }), { ghost: 1 }],
  'not there in the end': [() => { const t = all(new Tale()); t.events = t.events.filter((e) => e.e !== 'stored' || e.id !== 'm1'); return t; }, { 'lost in store': 1 }],
  'stored twice': [() => all(new Tale()).at(60_000, 'stored', { id: 'm9', tag: 'ann.c.1', sender: 'ann', chat: 'c', at: t0 + 2000 }).got(2020, 9), { 'stored twice': 1 }],
  'stored, never answered and never sent': [() => all(new Tale()).said(5000, 3, { answered: false }), { 'lost modern': 1 }],
  'a pod that failed': [() => all(new Tale()).at(9000, 'problem', { what: 'pod1', why: 'exit code 2' }), { failed: 1 }],
};

for (const [name, [tale, want]] of Object.entries(cases)) {
  test(name, () => assert.deepEqual(tale().found(), want));
}

// eve has a page, too, and leaves at 10 s for good; the history goes on for two minutes.
const leaving = (more = (t) => t) => more(all(new Tale()).open(0, 'e1', 'eves', 'eve').on(10, 'e1', 1)
  .got(1010, 0, 'e1').got(2010, 1, 'e1').got(3010, 2, 'e1').off(10_000, 'e1', 1, 'closed').at(10_000, 'closed', { page: 'e1' })).at(120_000, 'end', {});

test('offline, once', () => assert.deepEqual(leaving((t) => t.told(12_000, false)).found(), {}));
test('offline twice', () => assert.deepEqual(leaving((t) => t.told(12_000, false).told(20_000, false)).found(), { 'offline twice': 1 }));
test('offline, online, offline', () => assert.deepEqual(leaving((t) => t.told(12_000, false).told(13_000, true).told(20_000, false)).found(), {}));
test('offline, back unannounced, offline', () => {
  const t = leaving((x) => x.told(12_000, false).open(14_000, 'e2', 'eves', 'eve').on(14_100, 'e2', 1).off(15_000, 'e2', 1, 'closed').at(15_000, 'closed', { page: 'e2' }).told(20_000, false));
  assert.deepEqual(t.found(), {});
});
test('offline on two connections', () => {
  const t = leaving((x) => x.told(12_000, false).off(100_000, 'b1', 1).on(101_000, 'b1', 2).told(102_000, false, 'b1', 2));
  assert.deepEqual(t.found(), {});
});
test('never offline', () => assert.deepEqual(leaving().found(), { 'never offline': 1 }));
test('told too late', () => assert.deepEqual(leaving((t) => t.told(119_000, false)).found(), { 'never offline': 1 }));
test('back too soon for it', () => {
  const t = leaving((x) => x.open(10_500, 'e2', 'eves', 'eve').on(10_000 + settings.presenceGrace, 'e2', 1));
  assert.deepEqual(t.found(), {});
});

test('due by whom', () => {
  const { count } = check(cases['had over a reload'][0]().events.sort((a, b) => a.t - b.t));
  assert.deepEqual(count.by, { modern: 2, older: 0, reloads: 1 });
});

test('not due has a reason', () => {
  const tale = cases['away beside another device'][0]();
  const { count } = check(tale.events.sort((a, b) => a.t - b.t));
  assert.deepEqual(Object.values(count.notDue), [1]);
  assert.equal(count.due, 5);
  assert.deepEqual(count.by, { modern: 5, older: 0, reloads: 0 });
});
