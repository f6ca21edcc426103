import { all, create } from 'mathjs';

export const about = { package: 'mathjs', covers: '700 ES modules that make each other at run time' };

export function run(): unknown {
  const math = create(all ?? {}, { number: 'BigNumber', precision: 32 });
  const parser = math.parser();
  parser.evaluate('f(x) = x^2 + 1');
  return [
    math.format(math.evaluate('sqrt(2)')),
    String(parser.evaluate('f(3)')),
    math.derivative('x^3 + x', 'x').toString(),
    math.format(
      math.inv([
        [1, 2],
        [3, 4],
      ]) as never,
    ),
    math.unit('5 km').to('m').toString(),
  ];
}
