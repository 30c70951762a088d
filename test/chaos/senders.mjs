// Who says something, and who changes who takes part: again and again, until it is answered.
import { randomUUID } from 'node:crypto';
import { token } from '../e2e/harness/token.mjs';
import { sleep } from '../e2e/harness/wait.mjs';

const patience = 90_000; // for one answer, over all tries

// One try. What is answered with an error, or not at all, is { status }.
async function ask(url, method, path, jwt, body, headers = {}) {
  try {
    const res = await fetch(url + path, {
      method, headers: { authorization: `Bearer ${jwt}`, ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
      body: body && JSON.stringify(body), signal: AbortSignal.timeout(15_000),
    });
    const text = await res.text();
    let json;
    try { json = JSON.parse(text); } catch { /* nginx's own */ }
    return { status: res.status, json, code: json?.error?.code, upstream: res.headers.get('x-pod') };
  } catch (err) { return { status: err.cause?.code ?? err.name }; }
}

export class Sender {
  constructor(world, history, random, { user, chat, every, careless }) {
    Object.assign(this, { world, history, random, user, chat, every, careless, jwt: token(user), n: 0 });
  }

  async talk(over) {
    while (!over()) {
      await this.say(this.n++);
      await sleep(this.every * (0.5 + this.random.next()));
    }
  }

  async say(n) {
    const tag = `${this.user.slice(-4)}.${this.chat.slice(-4)}.${n}`;
    const size = this.random.chance(0.02) ? this.random.between(4_000, 30_000) : this.random.between(0, 200);
    const body = { chatId: this.chat, textMessage: `${tag} ${'x'.repeat(size)}` };
    const headers = this.careless ? {} : { 'idempotency-key': randomUUID() };
    const began = Date.now();
    this.history.add('ask', { tag, sender: this.user, chat: this.chat, n, careless: this.careless });
    for (let tries = 1; ; tries++) {
      const res = await ask(this.world.url, 'POST', '/api/messages', this.jwt, body, headers);
      if (res.status === 201) {
        const [m] = res.json.messages;
        this.history.add('answer', { tag, id: m._id, at: Date.parse(m.createdAt), pod: this.world.podAt(res.upstream), tries });
        return;
      }
      this.history.add('refused', { tag, status: res.status, code: res.code });
      if (this.careless) return;
      if (![502, 503, 504, 409, 429].includes(res.status) && typeof res.status === 'number') {
        this.history.add('problem', { what: 'post', why: `${tag} answered ${res.status} ${res.code}` });
        return;
      }
      if (Date.now() - began > patience) { this.history.add('problem', { what: 'post', why: `${tag} not accepted in ${patience} ms: ${res.status} ${res.code}` }); return; }
      await sleep(this.random.between(100, 400));
    }
  }
}

let moves = 0;

export async function move(world, history, random, { op, chat, by, user }) {
  const n = ++moves;
  const path = `/api/chats/${chat}/participants`;
  const began = Date.now();
  history.add('member', { op, chat, user, n, phase: 'ask' });
  for (;;) {
    const res = op === 'add' ? await ask(world.url, 'POST', path, token(by), { userId: user }) : await ask(world.url, 'DELETE', `${path}/${user}`, token(by));
    if (res.status === 200) break;
    if (Date.now() - began > patience) { history.add('problem', { what: 'member', why: `${op} ${user} not answered in ${patience} ms: ${res.status} ${res.code}` }); return; }
    await sleep(random.between(100, 400));
  }
  history.add('member', { op, chat, user, n, phase: 'answer' });
}
