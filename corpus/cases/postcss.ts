import postcss from 'postcss';

export const about = { package: 'postcss', covers: 'ES module wrapper around CommonJS with circular requires' };

export async function run(): Promise<unknown> {
  const upper = { postcssPlugin: 'upper', Declaration: (one: { value: string }) => void (one.value = one.value.toUpperCase()) };
  const { css, messages } = await postcss([upper]).process('a { color: red; &:hover { top: 1px } }', { from: undefined });
  let failed = '';
  try {
    postcss.parse('a {');
  } catch (error) {
    failed = (error as Error).name;
  }
  return { css, messages, failed };
}
