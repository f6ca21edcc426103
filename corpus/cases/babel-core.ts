import { transformSync, types } from '@babel/core';
import generate from '@babel/generator';

export const about = {
  package: '@babel/core',
  covers: 'large CommonJS graph, lazily required parts, circular CommonJS',
  asks: 'browserslist and other parts are required by getters on first use',
  requests: 1,
};

export function run(): unknown {
  const result = transformSync('const double = (n) => n * 2;', {
    babelrc: false,
    configFile: false,
    plugins: [
      {
        visitor: {
          Identifier(path: { node: { name: string } }) {
            if (path.node.name === 'n') path.node.name = 'value';
          },
        },
      },
    ],
  });
  const made = (generate as unknown as { default: typeof generate }).default(
    types.assignmentExpression('=', types.identifier('a'), types.numericLiteral(1)),
  );
  return { code: result?.code, made: made.code };
}
