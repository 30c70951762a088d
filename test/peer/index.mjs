// What tests use of the peer's packages.
export { Redis } from 'ioredis';
export { Emitter } from '@socket.io/redis-emitter';
export { mark, unmark } from './control.mjs';
