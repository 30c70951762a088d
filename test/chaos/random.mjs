// Random numbers that a seed gives again.
export class Random {
  constructor(seed) { this.state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0; }

  // From 0 up to 1, as Math.random (mulberry32).
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  int(n) { return Math.floor(this.next() * n); }

  between(low, high) { return low + this.int(high - low); }

  chance(p) { return this.next() < p; }

  of(list) { return list[this.int(list.length)]; }

  shuffled(list) {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }
}
