import { $, ExecaError, execa } from 'execa';

export const about = { package: 'execa', covers: 'programs; ES module only, 150 modules, top-level constants' };

export async function run(): Promise<unknown> {
  const { stdout } = await execa('sh', ['-c', 'cat; echo $X'], { input: 'in ', env: { X: 'env' } });
  const piped = await $`echo abc`.pipe`tr a-c A-C`;
  const failed = await execa('sh', ['-c', 'echo no >&2; exit 4']).catch((error) => ({
    code: error.exitCode,
    stderr: error.stderr,
    is: error instanceof ExecaError,
  }));
  return { stdout, piped: piped.stdout, failed };
}
