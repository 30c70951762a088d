// The three ways Socket.IO servers share rooms over Redis, by SOCKETIO_ADAPTER.
import { Redis } from 'ioredis';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';

export function connectRedis(url) {
  const client = new Redis(url);
  client.on('error', (err) => console.error(JSON.stringify({ level: 'WARN', msg: 'redis', error: err.message })));
  return client;
}

// Returns the adapter's constructor and the connections it needs closed at the end.
export function adapterFor(name, url) {
  switch (name) {
    case 'redis': {
      const [pub, sub] = [connectRedis(url), connectRedis(url)];
      return { adapter: createAdapter(pub, sub), clients: [pub, sub] };
    }
    case 'redis-sharded': {
      const [pub, sub] = [connectRedis(url), connectRedis(url)];
      return { adapter: createShardedAdapter(pub, sub), clients: [pub, sub] };
    }
    case 'redis-streams': {
      const client = connectRedis(url);
      return { adapter: createStreamsAdapter(client), clients: [client] };
    }
    default:
      throw new Error(`SOCKETIO_ADAPTER=${name}: redis, redis-sharded or redis-streams`);
  }
}
