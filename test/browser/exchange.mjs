// Bob's client in a page, whatever its generation: he connects, Alice posts by fetch, he answers, leaves and returns.
import assert from 'node:assert/strict';

// In the page: what Bob got, and over what.
async function exchange({ url, chatId, alice, options, text }) {
  const socket = globalThis.io(url, { ...options, forceNew: true, reconnection: false });
  const soon = (what, start) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what}`)), 8_000);
    start((value) => { clearTimeout(timer); resolve(value); }, reject);
  });
  const connected = () => soon('connect', (resolve, reject) => {
    socket.once('connect', resolve);
    for (const event of ['connect_error', 'error']) socket.once(event, (error) => reject(new Error(`${event}: ${error.message} ${error.description ?? ''}`)));
  });
  const contents = [];
  socket.on('new_message', ({ content }) => contents.push(content));
  const posted = async (textMessage) => {
    const arrived = soon('new_message', (resolve) => socket.on('new_message', (message) => message.content === textMessage && resolve(message)));
    const body = new FormData();
    for (const [name, value] of Object.entries({ chatId, type: 'text', textMessage })) body.set(name, value);
    const { status } = await fetch(`${url}/api/messages`, { method: 'POST', headers: { Authorization: `Bearer ${alice}` }, body, credentials: options.withCredentials ? 'include' : 'same-origin' });
    return { status, message: await arrived };
  };

  const upgraded = !options.transports && soon('upgrade', (resolve) => socket.io.once('open', () => socket.io.engine.once('upgrade', resolve)));
  await Promise.all([connected(), upgraded]);
  const { engine } = socket.io;
  const transport = engine.transport.name;
  const { status, message } = await posted(text);
  const ack = await soon('ack', (resolve) => socket.emit('mark_read', { chatId, messageId: message._id }, resolve));

  const closed = soon('close', (resolve) => engine.once('close', resolve));
  socket.disconnect();
  await closed;
  socket.connect();
  await connected();
  await posted(`${text}, again`);
  // Bob stays until the page closes.
  return { transport, status, message, ack, contents: contents.filter((content) => content.startsWith(text)), anew: socket.io.engine !== engine };
}

// options are the client's; without transports, the upgrade is awaited. tokenIn is where its generation has the token.
export async function check(page, { url, demo }, options, tokenIn = 'auth') {
  const [alice, bob] = ['Alice', 'Bob'].map((name) => demo.users.find((user) => user.name === name));
  const text = `${JSON.stringify(options)} ${Math.random()}`;
  const got = await page.evaluate(exchange, { url, chatId: demo.chatId, alice: alice.token, options: { ...options, [tokenIn]: { token: bob.token } }, text });
  assert.equal(got.transport, options.transports?.[0] ?? 'websocket');
  assert.equal(got.status, 201);
  assert.deepEqual(got.ack, { ok: true });
  const { message } = got;
  assert.deepEqual(Object.keys(message).sort(), ['_id', 'chatId', 'content', 'createdAt', 'senderId']);
  assert.deepEqual([message.chatId, message.senderId, message.content], [demo.chatId, alice.userId, text]);
  assert.match(message.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(got.anew, 'returned over a connection of its own');
  assert.deepEqual(got.contents, [text, `${text}, again`]);
}

// What went wrong in a page, other than what comes of leaving: a goodbye by POST may overtake the poll on its way, by Node
// as well, and may be overtaken by the return, which ends the session left. Whichever is late gets a 400.
export function complaints({ problems, refused }) {
  return [
    ...refused.filter((line) => !/^400 (GET|POST) .*transport=polling&.*sid=/.test(line)),
    // The console repeats each of those without saying which.
    ...problems.filter((text) => !text.startsWith('Failed to load resource: the server responded')),
  ];
}
