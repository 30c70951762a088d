// socket.io as it comes, on ws.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { attach } from './bench.mjs';

const server = createServer();
attach(new Server(server));
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
