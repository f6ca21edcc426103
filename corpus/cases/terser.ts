import { minify } from 'terser';

export const about = { package: 'terser', covers: 'a large CommonJS bundle beside ES modules' };

export async function run(): Promise<unknown> {
  const { code } = await minify('function add(first, second) { const unused = 1; return first + second; } console.log(add(1, 2));', {
    toplevel: true,
  });
  return code;
}
