// One user's side of the page: what they see, and what they do.
import { Api, trouble } from './api.js';
import { timeOf } from './bubble.js';
import { Composer } from './composer.js';
import { Log } from './log.js';
import { newKey, Outbox } from './outbox.js';
import { Receipts } from './receipts.js';
import { Session } from './session.js';

const typingFades = 6000; // ms, should the end of typing never arrive
const catchUpFor = 3000; // ms after connecting in which old messages are a replay

export class Pane {
  #held = []; // own new_message events while drafts have no answer
  #drafts = new Map(); // outbox item → its bubbles
  #socketIds = new Set();
  #repeated = 0;
  #unread = 0;
  #lastFromPeer;
  #lastMarked = '';
  #wasConnected = false;
  #loaded = false;
  #peerState = { isOnline: null };
  #typingTimer = 0;
  #catchUp = null;

  constructor(demo, user, peer, side) {
    Object.assign(this, { demo, user, peer });
    this.element = document.getElementById('pane').content.firstElementChild.cloneNode(true);
    this.parts = Object.fromEntries(Array.from(this.element.querySelectorAll('[data-part]'), (part) => [part.dataset.part, part]));
    const { parts } = this;
    this.element.dataset.side = side;
    this.element.dataset.user = user.name;
    parts.name.id = `name-${side}`;
    this.element.setAttribute('aria-labelledby', parts.name.id);
    parts.name.textContent = user.name;
    parts.avatar.textContent = user.name[0];
    parts.log.setAttribute('aria-label', `Messages as ${user.name} sees them`);

    this.api = new Api(demo, user.userId);
    this.log = new Log(parts.log, parts, new Receipts(`parley:${user.userId}`));
    this.outbox = new Outbox(this.api, (...news) => this.#sending(...news));
    this.session = new Session(demo, user.userId);
    this.composer = new Composer(parts, {
      name: user.name, peer: peer.name,
      send: (what) => this.#send(what),
      typing: (isTyping) => { if (this.session.socket.connected) this.session.socket.emit('typing', { chatId: demo.chatId, isTyping }); },
    });

    this.session.addEventListener('state', () => this.#linkChanged());
    parts.toggle.addEventListener('click', () => (this.session.state === 'offline' ? this.session.goOnline() : this.session.goOffline()));
    parts.older.addEventListener('click', () => this.#loadHistory(parts.older.dataset.next));
    this.#listen();
    this.#watchAttention();
    this.#watchDrops();
  }

  async start() {
    await this.#loadHistory();
    this.session.goOnline();
  }

  #listen() {
    const { socket } = this.session;
    const ours = (handle) => (event) => { if (event.chatId === this.demo.chatId) handle(event); };
    const peers = (handle) => (event) => { if (event.userId === this.peer.userId) handle(event); };
    socket.on('connect', () => this.#connected());
    socket.on('new_message', ours((message) => this.#arrived(message)));
    socket.on('message_delivered', ours(({ messageId, userIds }) => { if (userIds.includes(this.peer.userId)) this.log.delivered(messageId); }));
    socket.on('message_read', ours(peers(({ messageId }) => this.log.readUpTo(messageId))));
    socket.on('typing', ours(peers(({ isTyping }) => this.#peerTypes(isTyping))));
    socket.on('user_online', peers(() => this.#peerIs({ isOnline: true })));
    socket.on('user_offline', peers(({ lastSeen }) => this.#peerIs({ isOnline: false, lastSeen })));
  }

  // ---- connection ----

  #linkChanged() {
    const { state, detail } = this.session;
    this.element.dataset.link = state;
    this.parts.linkText.textContent = detail;
    this.parts.toggle.textContent = state === 'offline' ? 'Go online' : 'Go offline';
    if (state === 'connected') this.outbox.open();
    else {
      this.outbox.close();
      this.#peerTypes(false);
      this.#peerIs({ isOnline: null });
    }
  }

  async #connected() {
    this.#catchUp = this.#wasConnected ? { since: Date.now(), line: null, count: 0 } : null;
    this.#wasConnected = true;
    if (!this.#loaded) await this.#loadHistory();
    this.#markRead();
    const presence = await this.api.presence(this.peer.userId).catch(() => null);
    // An event that came meanwhile is newer than this answer.
    if (presence && this.#peerState.isOnline === null && this.session.state === 'connected') this.#peerIs(presence);
  }

  // ---- the other one ----

  #peerIs(presence) {
    this.#peerState = presence;
    this.#showPeer();
  }

  #peerTypes(isTyping) {
    clearTimeout(this.#typingTimer);
    this.isTyping = isTyping;
    if (isTyping) this.#typingTimer = setTimeout(() => this.#peerTypes(false), typingFades);
    this.#showPeer();
  }

  #showPeer() {
    const { isOnline, lastSeen } = this.#peerState;
    const { peer, peerDot } = this.parts;
    peerDot.dataset.on = isOnline ? 'yes' : 'no';
    const name = document.createElement('strong');
    name.textContent = this.peer.name;
    const text = document.createElement('span');
    text.className = this.isTyping ? 'typing' : '';
    if (this.isTyping) text.textContent = 'is typing…';
    else if (isOnline) text.textContent = 'is online';
    else if (isOnline === null) text.textContent = 'is out of sight without a connection';
    else text.textContent = lastSeen ? `is offline, last seen ${timeOf(lastSeen)}` : 'is offline';
    peer.replaceChildren(name, ' ', text);
  }

  // ---- messages ----

  #author(userId) {
    return userId === this.user.userId ? { name: this.user.name, mine: true } : { name: this.peer.name, mine: false };
  }

  async #loadHistory(before) {
    const { older, log, empty } = this.parts;
    let page;
    try {
      page = await this.api.history(before);
    } catch {
      return; // loaded once there is a connection
    }
    const height = log.scrollHeight - log.scrollTop;
    let at = before || this.#loaded ? empty.nextElementSibling : null;
    for (const message of page.messages.toReversed()) {
      if (!this.log.has(message._id)) this.log.add(message, this.#author(message.senderId), { before: at });
    }
    this.log.readFurther();
    older.hidden = !page.next;
    older.dataset.next = page.next ?? '';
    if (before) log.scrollTop = log.scrollHeight - height;
    else {
      this.#lastFromPeer ??= page.messages.find((message) => message.senderId === this.peer.userId);
      this.log.toBottom();
    }
    this.#loaded = true;
    empty.hidden = Boolean(log.querySelector('.msg'));
  }

  #arrived(message) {
    if (this.#socketIds.has(message._id)) this.element.dataset.repeated = ++this.#repeated;
    this.#socketIds.add(message._id);
    this.element.dataset.received = this.#socketIds.size;
    if (this.log.has(message._id)) return;
    // Our own message may arrive before the answer to the request that sent it.
    if (message.senderId === this.user.userId && this.outbox.busy) return void this.#held.push(message);
    if (message.senderId === this.peer.userId) this.#fromPeer(message);
    else this.log.add(message, this.#author(message.senderId), { live: true });
  }

  #fromPeer(message) {
    this.#peerTypes(false);
    const away = this.#catchUp;
    if (away && Date.now() - away.since < catchUpFor && Date.parse(message.createdAt) < away.since) {
      away.line ??= this.log.divide('', 'away');
      away.line.textContent = `${++away.count} sent while ${this.user.name} was away`;
    } else {
      this.#catchUp = null;
    }
    this.log.add(message, this.#author(message.senderId), { live: true });
    if (!(this.#lastFromPeer?.createdAt > message.createdAt)) this.#lastFromPeer = message;
    this.#unread++;
    this.#markRead();
  }

  // ---- sending ----

  // Returns a problem to show, if there is one.
  #send({ text, files }) {
    if (this.outbox.full) return 'Too many messages are waiting already.';
    const item = { key: newKey(), text, files };
    const author = this.#author(this.user.userId);
    const contents = [
      ...files.map((file) => ({ type: file.type.split('/')[0], url: URL.createObjectURL(file) })),
      ...(text ? [{ text }] : []),
    ];
    this.#drafts.set(item, contents.map((content) => this.log.draft(author, content)));
    this.outbox.add(item);
    return null;
  }

  #sending(item, state, outcome) {
    if (state === 'idle') return this.#release();
    const bubbles = this.#drafts.get(item) ?? [];
    if (state === 'sent') {
      outcome.forEach((message, i) => bubbles[i] && this.log.stored(bubbles[i], message));
      this.#drafts.delete(item);
      return this.#release();
    }
    const note = { failed: () => `Not sent: ${outcome.message}`, retrying: () => `${trouble(outcome)}, trying again…` }[state]?.();
    for (const bubble of bubbles) bubble.advance(state, note);
    if (state === 'failed') {
      bubbles.at(-1)?.offerRetry(() => {
        item.key = newKey();
        this.outbox.add(item);
      });
    }
  }

  // Own messages that were held back and that no request of this page has sent.
  #release() {
    if (this.outbox.busy) return; // what is held may be a draft whose answer got lost with its connection
    for (const message of this.#held.splice(0)) {
      if (!this.log.has(message._id)) this.log.add(message, this.#author(message.senderId), { live: true });
    }
  }

  // ---- reading ----

  // A side is being read while the pointer or the focus is in it.
  #watchAttention() {
    for (const name of ['pointerenter', 'pointerdown', 'focusin']) this.element.addEventListener(name, () => this.#markRead());
    document.addEventListener('visibilitychange', () => this.#markRead());
  }

  #attended() {
    return document.visibilityState === 'visible' && this.element.matches(':hover, :focus-within');
  }

  #markRead() {
    const reading = this.#attended();
    if (reading) this.#unread = 0;
    this.parts.unread.hidden = !this.#unread;
    this.parts.unread.textContent = `${this.#unread} new`;
    const { socket } = this.session;
    if (!reading || !socket.connected || !this.#lastFromPeer || this.#lastMarked === this.#lastFromPeer._id) return;
    const messageId = this.#lastFromPeer._id;
    this.#lastMarked = messageId;
    socket.timeout(10_000).emit('mark_read', { chatId: this.demo.chatId, messageId }, (error, answer) => {
      if ((error || !answer?.ok) && this.#lastMarked === messageId) this.#lastMarked = '';
    });
  }

  #watchDrops() {
    const { element } = this;
    element.addEventListener('dragover', (event) => {
      if (!event.dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      element.classList.add('dropping');
    });
    element.addEventListener('dragleave', (event) => { if (!element.contains(event.relatedTarget)) element.classList.remove('dropping'); });
    element.addEventListener('drop', (event) => {
      event.preventDefault();
      element.classList.remove('dropping');
      this.composer.attach(event.dataTransfer.files);
    });
  }
}
