// Who a token speaks for.
import jwt from 'jsonwebtoken';

export function verifier(secret) {
  return (token) => {
    const { userId } = jwt.verify(token, secret, { algorithms: ['HS256'] });
    if (typeof userId !== 'string' || !/^[0-9a-f]{24}$/.test(userId)) throw new Error('no usable userId');
    return userId;
  };
}
