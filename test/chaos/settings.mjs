// What the pods are told and the checker has to know. Shorter than the defaults where a run would otherwise be waiting.
export const settings = {
  pingInterval: 5_000,
  pingTimeout: 5_000,
  presenceTTL: 8_000,
  presenceGrace: 2_000,
};

export const podSettings = {
  PING_INTERVAL: settings.pingInterval, PING_TIMEOUT: settings.pingTimeout, PRESENCE_TTL: settings.presenceTTL, PRESENCE_GRACE: settings.presenceGrace,
  REPLAY_LIMIT: 5_000, ALLOW_EIO3: 'true', TRUSTED_PROXIES: '127.0.0.1', LOG_LEVEL: 'info',
};

// What was on its way when a connection broke, seen by both sides at once, is known to neither, where the client does not
// say how far it got. A message is on its way from when it is stored until it was answered and somebody has it, and some
// milliseconds more.
export const underWay = 300;
