// What one user wants to send, in order, one request at a time.

const firstWait = 1000; // ms
const longestWait = 5000; // ms
const room = 50; // messages

export class Outbox {
  #queue = [];
  #busy = false;
  #open = false;
  #underWay = null;
  #wake = () => {};

  // report(item, state, messages or error) hears of "sending", "waiting" (for a connection), "retrying" (because of
  // the error), "sent" and "failed"; at the end of "idle".
  constructor(api, report) {
    this.api = api;
    this.report = report;
  }

  get full() { return this.#queue.length >= room; }
  // Until the last of them has an answer, whether or not a request is under way just now.
  get busy() { return this.#queue.length > 0; }

  add(item) {
    this.#queue.push(item);
    this.report(item, this.#open ? 'sending' : 'waiting');
    this.#run();
  }

  // Closed while the user is offline: messages wait.
  open() {
    if (this.#open) return;
    this.#open = true;
    this.#wake();
    this.#run();
  }

  // What is under way may still be answered.
  close() {
    this.#open = false;
    this.#tell('waiting', { but: this.#underWay });
  }

  // What keeps the first keeps those behind it.
  #tell(state, { error, but } = {}) {
    for (const item of this.#queue) if (item !== but) this.report(item, state, error);
  }

  async #run() {
    if (this.#busy) return;
    this.#busy = true;
    let wait = firstWait;
    while (this.#open && this.#queue.length) {
      const item = this.#queue[0];
      this.#tell('sending');
      this.#underWay = item;
      try {
        const messages = await this.api.post(item);
        this.#queue.shift();
        this.report(item, 'sent', messages);
        wait = firstWait;
      } catch (error) {
        if (error.retriable === false) {
          this.#queue.shift();
          this.report(item, 'failed', error);
          continue;
        }
        this.#underWay = null;
        this.#tell(this.#open ? 'retrying' : 'waiting', { error });
        await this.#pause(Math.max(wait, error.retryAfter ?? 0));
        wait = Math.min(wait * 2, longestWait);
      }
    }
    this.#underWay = null;
    this.#busy = false;
    this.report(null, 'idle');
  }

  // Ends early when the connection is back.
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => { clearTimeout(timer); resolve(); };
    });
  }
}

// randomUUID needs a secure context, which http:// on a local network is not.
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
