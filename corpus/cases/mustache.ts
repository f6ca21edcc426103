import Mustache from 'mustache';

export const about = { package: 'mustache', covers: 'templates, dual package' };

export function run(): unknown {
  return Mustache.render(
    '{{#list}}{{name}}:{{{raw}}} {{/list}}{{^none}}empty{{/none}}{{> p}}',
    { list: [{ name: '<a>', raw: '<b>' }], x: 1 },
    { p: '[{{x}}]' },
  );
}
