import { Marked } from 'marked';

export const about = { package: 'marked', covers: 'Markdown' };

export function run(): unknown {
  const marked = new Marked({ gfm: true });
  marked.use({ renderer: { link: ({ href, text }) => `<a rel="x" href="${href}">${text}</a>` } });
  return marked.parse('# T\n\n- [a](b)\n- `c`\n\n| x | y |\n|---|---|\n| 1 | 2 |\n');
}
