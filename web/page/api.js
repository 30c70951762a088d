// REST as one of the two users.

const postTimeout = 120_000; // ms; an upload may be slow
const readTimeout = 15_000; // ms

// Refusal is an answer other than success; no answer at all is fetch's own error.
export class Refusal extends Error {
  constructor(response, body) {
    super(body?.error?.message ?? `The server answered ${response.status}.`);
    this.status = response.status;
    this.code = body?.error?.code ?? '';
    this.busy = [429, 503].includes(this.status) || this.code === 'in_progress';
    this.retriable = this.busy || this.status >= 500;
    this.retryAfter = (Number(response.headers.get('Retry-After')) || 0) * 1000; // ms
  }
}

// trouble says why something was not done, of an error that may pass.
export function trouble(error) {
  if (!(error instanceof Refusal)) return 'The server does not answer';
  if (error.status === 429) return 'The server asks to slow down';
  return error.busy ? 'The server is busy' : 'The server has a problem';
}

// Demo is who the two users are. A server that restarts may sign with a new key,
// so it is asked again when it no longer knows our tokens.
export class Demo {
  async load() {
    const response = await fetch('/demo.json', { cache: 'no-store', signal: AbortSignal.timeout(readTimeout) });
    if (!response.ok) throw new Refusal(response, await response.json().catch(() => null));
    const { chatId, users } = await response.json();
    if (this.chatId && this.chatId !== chatId) location.reload(); // another database: another conversation
    Object.assign(this, { chatId, users });
    return this;
  }

  // Both sides notice at the same time; one question is enough.
  renew() {
    this.renewing ??= this.load().finally(() => { this.renewing = null; });
    return this.renewing;
  }

  token(userId) { return this.users.find((user) => user.userId === userId)?.token ?? ''; }
}

export class Api {
  constructor(demo, userId) {
    this.demo = demo;
    this.userId = userId;
  }

  history(before) {
    const query = new URLSearchParams({ limit: 30, ...(before && { before }) });
    return this.#call('GET', `/api/chats/${this.demo.chatId}/messages?${query}`);
  }

  presence(userId) { return this.#call('GET', `/api/users/${encodeURIComponent(userId)}/online`); }

  // The key makes a repetition safe: the server stores and delivers it once.
  async post({ key, text, files }) {
    const form = new FormData();
    form.set('chatId', this.demo.chatId);
    form.set('type', files.length ? files[0].type.split('/')[0] : 'text');
    if (text) form.set('textMessage', text);
    for (const file of files) form.append('files', file, file.name);
    const { messages } = await this.#call('POST', '/api/messages', { body: form, headers: { 'Idempotency-Key': key }, timeout: postTimeout });
    return messages;
  }

  async #call(method, path, { body, headers, timeout = readTimeout } = {}) {
    for (let renewed = false; ; renewed = true) {
      const response = await fetch(path, {
        method, body, signal: AbortSignal.timeout(timeout),
        headers: { ...headers, Authorization: `Bearer ${this.demo.token(this.userId)}` },
      });
      const json = await response.json().catch(() => null);
      if (response.ok && json) return json;
      if (response.status !== 401 || renewed) throw new Refusal(response, json);
      await this.demo.renew();
    }
  }
}
