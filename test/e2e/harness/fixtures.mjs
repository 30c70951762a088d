// Small files whose content is what it says.
import { deflateSync, crc32 } from 'node:zlib';

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const head = Buffer.alloc(4);
  const tail = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  tail.writeUInt32BE(crc(body));
  return Buffer.concat([head, body, tail]);
}

function crc(buf) {
  if (crc32) return crc32(buf);
  let c = ~0;
  for (const b of buf) {
    c ^= b;
    for (let k = 0; k < 8; k++) c = (c >>> 1) ^ (0xedb88320 & -(c & 1));
  }
  return ~c >>> 0;
}

// A 1x1 picture; pad bytes of text metadata make it as large as wanted.
export function png(pad = 0) {
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
  const parts = [Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', header)];
  if (pad) parts.push(chunk('tEXt', Buffer.concat([Buffer.from('Comment\0'), Buffer.alloc(pad, 'x')])));
  parts.push(chunk('IDAT', deflateSync(Buffer.from([0, 255, 0, 0]))), chunk('IEND', Buffer.alloc(0)));
  return Buffer.concat(parts);
}

export const mp4 = () => Buffer.concat([
  Buffer.from([0, 0, 0, 0x18]), Buffer.from('ftypmp42'), Buffer.from([0, 0, 0, 0]), Buffer.from('mp42isom'),
  Buffer.from([0, 0, 0, 8]), Buffer.from('free'), Buffer.from([0, 0, 0, 16]), Buffer.from('mdat'), Buffer.alloc(8),
]);
// Four frames of silence, MPEG 1 layer III, 128 kbit/s, 44.1 kHz.
export const mp3 = () => Buffer.concat(Array.from({ length: 4 }, () => Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(413)])));
export const wav = () => {
  const b = Buffer.alloc(52);
  b.write('RIFF', 0); b.writeUInt32LE(44, 4); b.write('WAVEfmt ', 8); b.writeUInt32LE(16, 16);
  b.writeUInt16LE(1, 20); b.writeUInt16LE(1, 22); b.writeUInt32LE(8000, 24); b.writeUInt32LE(8000, 28);
  b.writeUInt16LE(1, 32); b.writeUInt16LE(8, 34); b.write('data', 36); b.writeUInt32LE(8, 40);
  return b;
};
export const svg = () => Buffer.from('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><script>alert(1)</script></svg>\n');
export const pdf = () => Buffer.from('%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n');
export const html = () => Buffer.from('<!DOCTYPE html><html><body><script>alert(1)</script></body></html>\n');
export const elf = () => Buffer.concat([Buffer.from('7f454c46020101000000000000000000', 'hex'), Buffer.from([2, 0, 62, 0]), Buffer.alloc(200)]);
export const text = () => Buffer.from('just some words, no picture at all\n');

export const file = (name, type, data) => ({ name, type, data });
