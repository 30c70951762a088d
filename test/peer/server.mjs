// A Node server of the same flow as Parley, as a team would have it in production: the other half of a
// mixed cluster in tests, and the control in measurements. It prints one JSON line once it listens.
import { createServer } from 'node:http';
import express from 'express';
import { Server } from 'socket.io';
import { adapterFor, connectRedis } from './adapter.mjs';
import { attachControl } from './control.mjs';
import { openModels } from './models.mjs';
import { attachRest } from './rest.mjs';
import { attachSockets } from './sockets.mjs';
import { settings } from './settings.mjs';
import { verifier } from './tokens.mjs';

const config = settings();
const models = await openModels(config.mongodbUri);
const redis = connectRedis(config.redisUrl);
const { adapter, clients } = adapterFor(config.adapter, config.redisUrl);
const verify = verifier(config.jwtSecret);

const app = express();
const server = createServer(app);
const io = new Server(server, {
  adapter, cors: { origin: '*' }, pingInterval: config.pingInterval, pingTimeout: config.pingTimeout, allowEIO3: config.allowEIO3,
});
const parts = { app, server, io, redis, models, verify, config, name: `node-${process.pid}` };
const sockets = attachSockets(parts);
attachControl({ ...parts, sockets });
attachRest(parts);

server.listen(config.port, config.host, () => {
  const { address, port } = server.address();
  console.log(JSON.stringify({ level: 'INFO', msg: 'listening', url: `http://${address}:${port}` }));
});

// Clients are sent off, presence is cleaned, connections are closed; whatever hangs then is left behind.
let ending = false;
async function end() {
  if (ending) return;
  ending = true;
  setTimeout(() => process.exit(0), 5_000).unref();
  setTimeout(() => server.closeAllConnections(), 1_000).unref(); // long polls and keep-alives
  await io.close();
  await sockets.settled();
  for (const c of [redis, ...clients]) c.disconnect();
  await models.db.close();
  process.exit(0);
}
process.once('SIGTERM', end);
process.once('SIGINT', end);
