import ejs from 'ejs';

export const about = { package: 'ejs', covers: 'templates; makes code with new Function' };

export function run(): unknown {
  const text = '<% for (const one of list) { %><li><%= one %></li><% } %><%- raw %>';
  let message = '';
  try {
    ejs.render('<%= nothing.there %>', {}, { compileDebug: true });
  } catch (error) {
    message = (error as Error).message.split('\n').at(-1) as string;
  }
  return { html: ejs.render(text, { list: ['a', '<b>'], raw: '<i>' }), message };
}
