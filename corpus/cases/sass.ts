import { compileString } from 'sass';

export const about = { package: 'sass', covers: 'a bundle of 5 MB; takes globals of its surroundings' };

export function run(): unknown {
  const { css } = compileString(
    '$c: #369; .a { .b & { color: lighten($c, 10%) } @for $i from 1 through 2 { &-#{$i} { width: math.div($i, 3) } } }'.replace(
      /^/,
      '@use "sass:math"; ',
    ),
    { silenceDeprecations: ['color-functions', 'global-builtin'] },
  );
  return css;
}
