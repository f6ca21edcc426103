import YAML, { parseDocument } from 'yaml';

export const about = { package: 'yaml', covers: 'parser; conditions "node" and "default"' };

export function run(): unknown {
  const document = parseDocument('# top\na: 1 # one\nb: [x, {y: z}]\n');
  document.set('a', 2);
  return {
    text: String(document),
    value: YAML.parse('- &a {b: 1}\n- *a\n- !!set {x, y}\n')[0],
    errors: parseDocument('a: [').errors.map((one) => one.code),
  };
}
