import { parse, tokenizer } from 'acorn';

export const about = { package: 'acorn', covers: 'parser with an exports map' };

export function run(): unknown {
  const { body } = parse('const a = [1, ...b]; export default a', { ecmaVersion: 2022, sourceType: 'module' });
  const tokens = [...tokenizer('a ?? b', { ecmaVersion: 2022 })].map((one) => one.type.label);
  return { kinds: body.map((one) => one.type), tokens };
}
