// Every environment variable the suite sets, so that a renamed one is changed in one place.
export const SECRET = 'e2e-secret-of-more-than-32-bytes-0123456789';

export const ms = (n) => `${n}ms`;

// Limits that stay out of the way; the tests about a limit start a pod of their own.
export const generous = {
  HOST: '127.0.0.1',
  PORT: 0,
  JWT_SECRET: SECRET,
  RATE_LIMIT_MESSAGES: 1_000_000,
  RATE_LIMIT_BURST: 1_000_000,
  RATE_LIMIT_EVENTS: 1_000_000,
  SHUTDOWN_TIMEOUT: ms(10_000),
  REDIS_TIMEOUT: ms(10_000), // a busy machine is slow, not away; the tests about a Redis that is away set it back
};
