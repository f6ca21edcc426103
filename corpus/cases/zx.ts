import { $, chalk, within } from 'zx';

export const about = { package: 'zx', covers: 'scripts; bundles of many packages, async_hooks' };

export async function run(): Promise<unknown> {
  const shell = $({ quiet: true });
  const { stdout } = await shell`printf %s ${'a b'}`;
  const failed = await shell`exit 5`.catch((error) => error.exitCode);
  const inside = await within(async () => {
    $.verbose = false;
    return (await $`echo ${[1, 2]}`).stdout;
  });
  return { stdout, failed, inside, colour: typeof chalk.red };
}
