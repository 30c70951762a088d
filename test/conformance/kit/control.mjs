// The control: a Node socket.io server of the same manners, to see what Node does with the same frames.
// CONFORMANCE_MUTANT breaks it on purpose (mutants.mjs): a test that passes under every mutant proves nothing.
import http from 'node:http';
import { createRequire } from 'node:module';
import { Server } from 'socket.io';
import { mutate } from './mutants.mjs';

const ms = (text, otherwise) => (text === undefined ? otherwise : text.endsWith('ms') ? parseInt(text, 10) : parseFloat(text) * 1000);
const users = ['Alice', 'Bob'].map((name) => ({ userId: name.toLowerCase(), name, token: `token-of-${name}` }));
const chatId = 'c'.repeat(24);

export async function startControl(env) {
  const server = http.createServer((req, res) => {
    if (req.url === '/demo.json') return res.end(JSON.stringify({ chatId, users }));
    if (req.url !== '/api/messages') { res.statusCode = req.url === '/healthz' ? 200 : 404; return res.end(); }
    const chunks = [];
    req.on('data', (c) => chunks.push(c)).on('end', () => {
      const text = Buffer.concat(chunks).toString().match(/name="textMessage"\r\n\r\n([^\r]*)/)[1];
      const message = { _id: `m${Date.now()}${Math.random()}`, chatId, senderId: users[0].userId, content: text, createdAt: new Date() };
      io.to(chatId).emit('new_message', message);
      res.statusCode = 201;
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ messages: [{ ...message, textMessage: text }] }));
    });
  });
  server.keepAliveTimeout = 0; // else a test that stood still asks over a connection that is just being closed
  const io = new Server(server, {
    pingInterval: ms(env.PING_INTERVAL, 25_000), pingTimeout: ms(env.PING_TIMEOUT, 20_000), connectTimeout: ms(env.CONNECT_TIMEOUT, 45_000),
    allowEIO3: env.ALLOW_EIO3 === 'true', cors: !env.CORS_ORIGIN || env.CORS_ORIGIN === '*' ? { origin: '*' } : { origin: env.CORS_ORIGIN.split(','), credentials: true },
    path: env.SOCKETIO_PATH ?? '/socket.io', addTrailingSlash: false, // which serves clients with and without
    ...(env.SOCKETIO_PARSER === 'msgpack' ? { parser: createRequire(import.meta.url)('socket.io-msgpack-parser') } : {}),
  });
  mutate(io, process.env.CONFORMANCE_MUTANT);
  io.use((socket, next) => {
    const token = socket.handshake.auth?.token ?? socket.handshake.query.token;
    if (users.some((u) => u.token === token)) return next();
    next(Object.assign(new Error('Authentication error'), { data: { code: token ? 'token_malformed' : 'token_missing', message: 'no' } }));
  });
  io.on('connection', (socket) => {
    socket.join(chatId);
    for (const name of ['typing', 'mark_read']) {
      socket.on(name, (data, ...more) => typeof more.at(-1) === 'function' && more.at(-1)(data?.chatId === chatId ? { ok: true } : { ok: false, error: { code: 'bad', message: 'no' } }));
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    running: () => server.listening,
    stop: () => new Promise((resolve) => { io.close(() => resolve()); server.closeAllConnections(); setTimeout(resolve, 1000).unref(); }),
  };
}
