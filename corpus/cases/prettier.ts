import { check, format } from 'prettier';

export const about = {
  package: 'prettier',
  covers: 'plugins by dynamic import of literal names',
  asks: 'plugins are loaded by import() on first use',
  requests: 5,
};

export async function run(): Promise<unknown> {
  return [
    await format('const a={b:1 ,c : [1,2,]}', { parser: 'babel' }),
    await format('a:   {x:  1}', { parser: 'yaml' }),
    await format('interface A{b:string}', { parser: 'typescript' }),
    await check('a\n', { parser: 'markdown' }),
  ];
}
