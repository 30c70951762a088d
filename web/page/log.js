// The messages of one side, oldest first.
import { Bubble, fileSource } from './bubble.js';

const nearBottom = 80; // px

export class Log {
  #bubbles = new Map(); // by message id

  constructor(element, { empty, older }, receipts) {
    Object.assign(this, { element, empty, older, receipts });
    // A picture that has loaded is taller than one that has not.
    element.addEventListener('load', () => this.#settle(), true);
    new ResizeObserver(() => this.#settle()).observe(element);
    element.addEventListener('scroll', () => { this.#atBottom = this.#isAtBottom(); }, { passive: true });
  }

  #atBottom = true;
  #isAtBottom() { return this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < nearBottom; }
  #settle() { if (this.#atBottom) this.element.scrollTop = this.element.scrollHeight; }

  has(id) { return this.#bubbles.has(id); }

  // add shows a message of the server's, from new_message or from history. Of an own one from history, nothing is said
  // but what is remembered: others may have had it long ago.
  add(message, author, { live = false, before = null } = {}) {
    const url = message.fileUrl && fileSource(message.fileUrl);
    const bubble = new Bubble(author, url ? { type: message.type, url } : { text: message.content ?? message.textMessage }, message.createdAt);
    if (live && author.mine) this.receipts.note(message._id, 'sent');
    this.#place(bubble, live, live ? this.#successor(message) : before);
    this.#name(bubble, message);
    return bubble;
  }

  // What was missed may come after newer messages that history had.
  #successor({ createdAt }) {
    let next = null;
    for (let at = this.element.lastElementChild; at; at = at.previousElementSibling) {
      const bubble = this.#bubbles.get(at.dataset.id);
      if (bubble && bubble.createdAt <= createdAt) break;
      if (bubble) next = at;
    }
    return next;
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
    this.receipts.note(message._id, 'sent');
    this.#name(bubble, message);
  }

  divide(text, kind) {
    const line = document.createElement('div');
    line.className = `divider ${kind}`;
    line.textContent = text;
    this.element.append(line);
    return line;
  }

  delivered(id) {
    this.receipts.note(id, 'delivered');
    this.#show(this.#bubbles.get(id));
  }

  // Reading one message is reading all before it.
  readUpTo(id) {
    this.receipts.note(id, 'read');
    for (let at = this.#bubbles.get(id)?.element; at; at = at.previousElementSibling) {
      const bubble = this.#bubbles.get(at.dataset.id);
      if (!bubble?.mine) continue;
      this.receipts.note(bubble.id, 'read');
      this.#show(bubble);
    }
  }

  // Those before it may be loaded later than it.
  readFurther() {
    const last = Array.from(this.element.children).findLast(({ dataset }) => this.receipts.get(dataset.id) === 'read');
    if (last) this.readUpTo(last.dataset.id);
  }

  #show(bubble) {
    const state = bubble?.mine && this.receipts.get(bubble.id);
    if (state) bubble.advance(state);
  }

  #name(bubble, message) {
    bubble.named(message);
    this.#bubbles.set(message._id, bubble);
    if (this.receipts.get(bubble.id) === 'read') this.readUpTo(bubble.id);
    else this.#show(bubble);
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
