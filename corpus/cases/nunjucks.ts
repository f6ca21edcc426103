import nunjucks from 'nunjucks';

export const about = { package: 'nunjucks', covers: 'templates; optional dependency (chokidar), new Function' };

export function run(): unknown {
  const env = new nunjucks.Environment(null, { autoescape: true });
  env.addFilter('twice', (text: string) => text + text);
  return env.renderString('{% for x in list %}{{ loop.index }}{{ x | twice }}{% endfor %}{% set a = 1 %}{{ a if a else "n" }}', {
    list: ['<', 'b'],
  });
}
