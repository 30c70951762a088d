// Short times, so that a silence is noticed within a test. All in milliseconds.
export const PING_INTERVAL = 300;
export const PING_TIMEOUT = 200;
export const CONNECT_TIMEOUT = 800;
export const MAX_PAYLOAD = 1_000_000;

// A server that does not end a connection by itself while a test looks at something else.
export const patient = { PING_INTERVAL: '25s', PING_TIMEOUT: '20s', CONNECT_TIMEOUT: '45s' };
export const beating = { ...patient, PING_INTERVAL: `${PING_INTERVAL}ms`, PING_TIMEOUT: `${PING_TIMEOUT}ms` };
export const hasty = { ...patient, CONNECT_TIMEOUT: `${CONNECT_TIMEOUT}ms` };
