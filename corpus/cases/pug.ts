import pug from 'pug';

export const about = { package: 'pug', covers: 'templates; reads its own runtime (pug-runtime) as text' };

export function run(): unknown {
  const template = pug.compile('mixin m(t)\n  b= t\nul\n  each x in list\n    li(class=x)= x\n  if yes\n    +m("a")');
  return [template({ list: ['a', '<b>'], yes: true }), pug.compileClient('p= a').includes('pug_escape')];
}
