// The peer's configuration: the environment variables a Node deployment has, checked once.
const milliseconds = (text, fallback) => {
  if (text === undefined || text === '') return fallback;
  const m = /^(\d+)(ms|s)?$/.exec(text);
  if (!m) throw new Error(`not a time: ${text}`);
  return Number(m[1]) * (m[2] === 's' ? 1000 : 1);
};

function required(env, name) {
  if (!env[name]) throw new Error(`${name} is not set`);
  return env[name];
}

export function settings(env = process.env) {
  return {
    host: env.HOST || '127.0.0.1',
    port: Number(env.PORT || 3000),
    mongodbUri: required(env, 'MONGODB_URI'),
    redisUrl: required(env, 'REDIS_URL'),
    jwtSecret: required(env, 'JWT_SECRET'),
    adapter: env.SOCKETIO_ADAPTER || 'redis',
    dataDir: env.DATA_DIR || './peer-data',
    pingInterval: milliseconds(env.PING_INTERVAL, 25_000),
    pingTimeout: milliseconds(env.PING_TIMEOUT, 20_000),
    allowEIO3: env.ALLOW_EIO3 === 'true',
    replayLimit: Number(env.REPLAY_LIMIT || 200),
  };
}
