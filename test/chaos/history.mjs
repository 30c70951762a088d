// What happened, an event a line: recorded while it happens, so that a run that ends badly can be read too.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

export class History {
  events = [];
  #lines = [];

  constructor(file) {
    this.file = file;
    this.fd = openSync(file, 'w');
    this.timer = setInterval(() => this.flush(), 200);
  }

  add(e, fields = {}) {
    const event = { t: Date.now(), e, ...fields };
    this.events.push(event);
    this.#lines.push(JSON.stringify(event));
    return event;
  }

  flush() {
    if (!this.#lines.length || this.fd === undefined) return;
    writeSync(this.fd, `${this.#lines.join('\n')}\n`);
    this.#lines = [];
  }

  close() {
    clearInterval(this.timer);
    this.flush();
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}

// A last line that was cut off is left out.
export function readHistory(file) {
  return readFileSync(file, 'utf8').split('\n').filter((l) => l.endsWith('}')).map((l) => JSON.parse(l));
}
