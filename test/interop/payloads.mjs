// What applications put into events. A client of the pod under test must be given exactly what a client of
// another Node pod is given.
export const payloads = {
  'unicode': ['žluťoučký kůň 👩‍👩‍👧‍👦 \u0000 \u2028 \ufeff "\\/', 'العربية', '中文', 'e\u0301 é'],
  'numbers': [0, -0, 1, -1, 127, 128, -128, -129, 255, 256, 65535, 65536, -32769, 2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 60],
  'fractions': [0.1, -0.1, 1.5, 1e-7, 5e-324, 123456789.123456789, 2 ** 63],
  'not numbers': [NaN, Infinity, -Infinity, { a: NaN, b: [Infinity] }],
  'null and undefined': [null, undefined, [null, undefined, 1], { a: null, b: undefined, c: 1 }],
  'booleans and empty': [true, false, '', [], {}, [[]], [{}]],
  'nested': [{ a: { b: [{ c: { d: [1, [2, [3, [4, { e: 'f' }]]]] } }] }, '': 'empty key', 'ключ': 1, 'a.b': 2, '$set': 3, constructor: 4 }],
  'dates': [new Date('2024-02-29T12:34:56.789Z'), { at: new Date(0), list: [new Date(-1), new Date('9999-12-31T23:59:59.999Z')] }],
  'long text': ['x'.repeat(100_000), 'é'.repeat(40_000), 'y'.repeat(31), 'y'.repeat(32), 'y'.repeat(255), 'y'.repeat(256), 'y'.repeat(65_536)],
  'many elements': [Array.from({ length: 70_000 }, (_, i) => i % 7), Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i]))],
  'binary': [Buffer.from([0, 1, 2, 0xff, 0xfe])],
  'binary nested': [{ name: 'pic', parts: [Buffer.from('abc'), { deep: Buffer.alloc(70_000, 7) }], text: 'after' }, Buffer.alloc(0), 'tail', Buffer.from('second')],
  'binary and dates': [{ at: new Date(1e12), raw: Buffer.from('00ff', 'hex') }],
  'placeholder look-alike': [{ _placeholder: true, num: 0 }, 'text'],
  'no arguments': [],
};

// What Node's MessagePack writer (notepack.io 3.0) damages on the way to any other pod: whole numbers
// beyond 64 bits and half a surrogate pair. The damage must be the same one.
export const damaged = {
  'whole numbers beyond 64 bits': [1e21, 1.7976931348623157e308, -1e20],
  'half a surrogate pair': ['\ud83d', 'a\udc00b'],
};
