// The same socket.io on uWebSockets.js.
import { createRequire } from 'node:module';
import { Server } from 'socket.io';
import { attach } from './bench.mjs';

const uws = createRequire(import.meta.url)('@trufflesuite/uws-js-unofficial');
const app = uws.App();
const io = new Server();
io.attachApp(app);
attach(io);
app.listen('127.0.0.1', 0, (listening) => {
  if (!listening) throw new Error('no port');
  console.log(`http://127.0.0.1:${uws.us_socket_local_port(listening)}`);
});
