// What explain prints is what concerns the message and the page, in order of time, and nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Book } from './book.mjs';
import { explain } from './explain.mjs';

const t0 = 1_800_000_000_000;
const page = { seat: 'seat', user: 'bob', version: '4.0.2', how: 'websocket', modern: false, eio3: false };
const events = [
  [0, 'page', { page: 'b1', ...page }], [1, 'page', { page: 'e1', ...page, seat: 'eves', user: 'eve' }],
  [10, 'conn', { page: 'b1', conn: 1 }], [11, 'conn', { page: 'e1', conn: 1 }],
  [900, 'fault', { what: 'redis paused', n: 1, on: 'redis', phase: 'begin' }], [950, 'fault', { what: 'resets', n: 2, on: 'e1', phase: 'begin' }],
  [990, 'ask', { tag: 'ann.c.0', sender: 'ann', chat: 'c', n: 0 }], [1005, 'answer', { tag: 'ann.c.0', id: 'm0', at: t0 + 1000, pod: 'pod1', tries: 1 }],
  [1010, 'got', { page: 'e1', conn: 1, id: 'm0' }], [1020, 'fault', { what: 'resets', n: 3, on: 'b1', phase: 'begin' }],
  [1021, 'break', { page: 'b1', conn: 1, how: 'reset' }], [1500, 'ask', { tag: 'ann.c.1', sender: 'ann', chat: 'c', n: 1 }],
  [50_000, 'conn', { page: 'b1', conn: 2 }], [90_000, 'conn', { page: 'b1', conn: 3 }],
].map(([ms, e, fields]) => ({ t: t0 + ms, e, ...fields }));

const names = (text) => text.split('\n').slice(2).map((l) => l.trim().split(/ +/).slice(0, 3).join(' '));

test('a message for a page', () => {
  assert.deepEqual(names(explain(new Book(events), 'm0', 'b1')), [
    '-1.000 page page=b1', '-0.990 conn page=b1', '-0.100 fault what=redis', '-0.010 ask tag=ann.c.0', '0.005 answer tag=ann.c.0',
    '0.020 fault what=resets', '0.021 break page=b1', '49.000 conn page=b1',
  ]);
});

test('a page alone', () => {
  assert.deepEqual(names(explain(new Book(events), undefined, 'b1')), [
    '0.000 page page=b1', '0.010 conn page=b1', '0.900 fault what=redis', '1.020 fault what=resets', '1.021 break page=b1', '50.000 conn page=b1', '90.000 conn page=b1',
  ]);
});
