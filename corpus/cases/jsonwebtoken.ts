import jwt from 'jsonwebtoken';

export const about = { package: 'jsonwebtoken', covers: 'crypto on top of node:crypto, small CommonJS packages' };

export function run(): unknown {
  const token = jwt.sign({ a: 1, iat: 1 }, 'key', { algorithm: 'HS256', noTimestamp: false });
  let failed = '';
  try {
    jwt.verify(token, 'other');
  } catch (error) {
    failed = `${(error as Error).name}: ${(error as Error).message}`;
  }
  return { token, good: jwt.verify(token, 'key'), failed };
}
