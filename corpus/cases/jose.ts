import { exportJWK, generateSecret, jwtVerify, SignJWT } from 'jose';

export const about = { package: 'jose', covers: 'WebCrypto; ES module only' };

export async function run(): Promise<unknown> {
  const key = new TextEncoder().encode('a secret of at least thirty-two bytes');
  const token = await new SignJWT({ role: 'x' }).setProtectedHeader({ alg: 'HS256' }).setIssuedAt(1).setSubject('me').sign(key);
  const { payload } = await jwtVerify(token, key);
  const wrong = await jwtVerify(`${token.slice(0, -2)}xx`, key).catch((error) => error.code);
  return { token, payload, wrong, kind: (await exportJWK(await generateSecret('HS256', { extractable: true }))).kty };
}
