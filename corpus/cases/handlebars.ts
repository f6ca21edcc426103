import Handlebars from 'handlebars';

export const about = { package: 'handlebars', covers: 'templates; require.extensions, made by a transpiler' };

export function run(): unknown {
  Handlebars.registerHelper('loud', (text: string) => text.toUpperCase());
  Handlebars.registerPartial('row', '<li>{{loud this}}</li>');
  const template = Handlebars.compile('{{#each list}}{{> row}}{{else}}none{{/each}}{{#if yes}}!{{/if}}');
  return [template({ list: ['a', '<b'], yes: true }), template({}), typeof Handlebars.precompile('{{a}}')];
}
