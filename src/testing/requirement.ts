import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Options for `node:test` that skip a test when something is absent. */
export interface Requirement {
  /** Why the test is skipped; false when it can run. */
  skip: string | false;
}

/**
 * Skips tests that need something this machine may not have; spread the result into the options of a test.
 *
 * The reason is printed on stderr. Where nothing may be missing, `MITOS_TEST_REQUIRE` is `all` or a comma separated list of names: then an
 * absent requirement throws instead.
 *
 * @param name What is needed, as it is listed in `MITOS_TEST_REQUIRE`.
 * @param probe Says whether it is there: true or nothing, else false or the reason as text. An error it throws is the reason too.
 * @example
 * ```ts
 * test('ssh refuses a changed host key', requirement('sshd', () => findCommand('sshd') !== undefined), async () => {});
 * ```
 */
export function requirement(name: string, probe: () => boolean | string | undefined): Requirement {
  const reason = reasonOf(name, probe);
  if (reason === undefined) return { skip: false };
  const required = (process.env['MITOS_TEST_REQUIRE'] ?? '').split(',').map((item) => item.trim());
  if (required.includes('all') || required.includes(name)) {
    throw new Error(`Cannot run the tests that need "${name}": ${reason}; MITOS_TEST_REQUIRE asks for it`);
  }
  console.error(`Skipping tests that need "${name}": ${reason}`);
  return { skip: reason };
}

function reasonOf(name: string, probe: () => boolean | string | undefined): string | undefined {
  try {
    const result = probe();
    if (result === true || result === undefined) return undefined;
    return result === false || result === '' ? `${name} is not available` : result;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The path of a program in PATH or the usual system directories; undefined when there is none. */
export function findCommand(name: string): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  for (const directory of [...path, '/usr/local/sbin', '/usr/sbin', '/sbin']) {
    const file = join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // look further
    }
  }
  return undefined;
}
