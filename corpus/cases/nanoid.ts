import { customAlphabet, nanoid } from 'nanoid';

export const about = { package: 'nanoid', covers: 'ES module only; crypto' };

export function run(): unknown {
  return { length: nanoid().length, differ: nanoid() !== nanoid(), custom: /^[ab]{5}$/.test(customAlphabet('ab', 5)()) };
}
