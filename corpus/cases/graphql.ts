import { buildSchema, graphql, parse, print, validate } from 'graphql';

export const about = { package: 'graphql', covers: 'parser and executor; dual package where one copy only may be loaded' };

export async function run(): Promise<unknown> {
  const schema = buildSchema('type Query { hello(name: String!): String, list: [Int!]! }');
  const rootValue = { hello: ({ name }: { name: string }) => `hello ${name}`, list: () => [1, 2] };
  const result = await graphql({ schema, source: 'query Q($n: String!) { hello(name: $n) list }', rootValue, variableValues: { n: 'a' } });
  return { result, errors: validate(schema, parse('{ nothing }')).map((one) => one.message), text: print(parse('{a(x:1){b}}')) };
}
