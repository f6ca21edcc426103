import mime from 'mime-types';

export const about = { package: 'mime-types', covers: 'a large JSON file that is required' };

export function run(): unknown {
  return [mime.lookup('a/b.json'), mime.contentType('x.html'), mime.extension('image/svg+xml'), mime.lookup('none')];
}
