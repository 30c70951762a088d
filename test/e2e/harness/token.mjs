import jwt from 'jsonwebtoken';
import { SECRET } from './settings.mjs';

export const seconds = (from = 0) => Math.floor(Date.now() / 1000) + from;

// A token as the frontend's login would give it. claims with the value undefined are left out.
export function token(userId, claims = {}, { secret = SECRET, ...options } = {}) {
  const payload = { userId, exp: seconds(3600), ...claims };
  for (const k of Object.keys(payload)) if (payload[k] === undefined) delete payload[k];
  return jwt.sign(payload, secret, { algorithm: 'HS256', ...options });
}
