import { parse, populate } from 'dotenv';

export const about = { package: 'dotenv', covers: 'configuration' };

export function run(): unknown {
  const target: Record<string, string> = { A: 'kept' };
  populate(target, parse('A=1\nB="x\\ny" # c\nexport C=\'q\'\n'));
  return target;
}
