// The messages of one side, oldest first.
import { Bubble, fileSource } from './bubble.js';

const nearBottom = 80; // px
const maxEarly = 200; // receipts

export class Log {
  #bubbles = new Map(); // by message id
  #early = new Map(); // receipts for messages whose id we do not know yet

  constructor(element, { empty, older }) {
    Object.assign(this, { element, empty, older });
    // A picture that has loaded is taller than one that has not.
    element.addEventListener('load', () => this.#settle(), true);
    new ResizeObserver(() => this.#settle()).observe(element);
    element.addEventListener('scroll', () => { this.#atBottom = this.#isAtBottom(); }, { passive: true });
  }

  #atBottom = true;
  #isAtBottom() { return this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < nearBottom; }
  #settle() { if (this.#atBottom) this.element.scrollTop = this.element.scrollHeight; }

  has(id) { return this.#bubbles.has(id); }

  // add shows a message of the server's, from new_message or from history.
  add(message, author, { live = false, before = null } = {}) {
    const url = message.fileUrl && fileSource(message.fileUrl);
    const bubble = new Bubble(author, url ? { type: message.type, url } : { text: message.content ?? message.textMessage }, message.createdAt);
    this.#place(bubble, live, before);
    this.#name(bubble, message);
    if (author.mine) bubble.advance('sent');
    return bubble;
  }

  // draft shows what the user is about to send.
  draft(author, content) {
    const bubble = new Bubble(author, content, new Date());
    this.#atBottom = true;
    this.#place(bubble, true, null);
    return bubble;
  }

  // stored gives a draft its identity.
  stored(bubble, message) {
    this.#name(bubble, message);
    bubble.advance('sent');
    this.#applyEarly(bubble);
  }

  divide(text, kind) {
    const line = document.createElement('div');
    line.className = `divider ${kind}`;
    line.textContent = text;
    this.element.append(line);
    return line;
  }

  delivered(id) { this.#receipt(id, 'delivered'); }

  // Reading one message is reading all before it.
  readUpTo(id) {
    if (!this.#receipt(id, 'read')) return;
    for (let at = this.#bubbles.get(id).element; at; at = at.previousElementSibling) {
      const bubble = this.#bubbles.get(at.dataset.id);
      if (bubble?.mine) bubble.advance('read');
    }
  }

  forgetEarly() { this.#early.clear(); }

  #receipt(id, state) {
    const bubble = this.#bubbles.get(id);
    if (!bubble) {
      if (this.#early.size < maxEarly && this.#early.get(id) !== 'read') this.#early.set(id, state);
      return false;
    }
    if (bubble.mine) bubble.advance(state);
    return true;
  }

  #applyEarly(bubble) {
    const state = this.#early.get(bubble.id);
    this.#early.delete(bubble.id);
    if (state === 'read') this.readUpTo(bubble.id);
    else if (state) bubble.advance(state);
  }

  #name(bubble, message) {
    bubble.named(message);
    this.#bubbles.set(message._id, bubble);
  }

  #place(bubble, live, before) {
    const { element } = bubble;
    const scroll = this.#atBottom;
    this.empty.hidden = true;
    element.classList.toggle('live', live);
    this.element.insertBefore(element, before);
    const previous = element.previousElementSibling;
    element.classList.toggle('same', previous?.classList.contains('msg') && previous.classList.contains('mine') === bubble.mine);
    if (live && scroll) this.element.scrollTop = this.element.scrollHeight;
  }

  toBottom() { this.#atBottom = true; this.#settle(); }
}
