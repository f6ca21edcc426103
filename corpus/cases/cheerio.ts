import { load } from 'cheerio';

export const about = { package: 'cheerio', covers: 'HTML; dual package of many packages' };

export function run(): unknown {
  const $ = load('<ul id=l><li class=a>one<li>two &amp; three</ul>');
  $('li.a').attr('data-n', '1').after('<li>new</li>');
  return {
    items: $('#l li')
      .toArray()
      .map((one) => $(one).text()),
    html: $.html('#l'),
  };
}
