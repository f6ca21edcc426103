import bcrypt from 'bcryptjs';

export const about = { package: 'bcryptjs', covers: 'cryptography in JavaScript' };

export async function run(): Promise<unknown> {
  const hash = await bcrypt.hash('secret', '$2b$04$abcdefghijklmnopqrstuu');
  return { hash, right: await bcrypt.compare('secret', hash), wrong: bcrypt.compareSync('other', hash), rounds: bcrypt.getRounds(hash) };
}
