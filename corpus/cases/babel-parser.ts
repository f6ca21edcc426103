import { parse } from '@babel/parser';

export const about = { package: '@babel/parser', covers: 'parser' };

export function run(): unknown {
  const { program, errors } = parse('enum A { B = 1 } const x: A = <A>y; class C { #p = 1 }', {
    sourceType: 'module',
    plugins: ['typescript'],
    errorRecovery: true,
  });
  return { kinds: program.body.map((one) => one.type), errors: errors?.length };
}
