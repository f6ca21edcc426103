import { Liquid } from 'liquidjs';

export const about = { package: 'liquidjs', covers: 'templates, dual package' };

export async function run(): Promise<unknown> {
  const engine = new Liquid();
  engine.registerFilter('shout', (text: string) => `${text}!`);
  return engine.parseAndRender('{% for x in list reversed %}{{ x | upcase | shout }}{% endfor %}', { list: ['a', 'b'] });
}
