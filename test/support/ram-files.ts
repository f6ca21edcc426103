/** Files that contexts keep in RAM for a moment, to have them loaded by path. */
import { readdirSync } from 'node:fs';

/** Those that are there now, by their paths. Others may put what looks alike into the same directories at the same time. */
export function ramFiles(): string[] {
  return ['/dev/shm', '/run', '/tmp'].flatMap((directory) =>
    readdirSync(directory)
      .filter((name) => /^\.mitos-[0-9a-f]{32}$/.test(name))
      .map((name) => `${directory}/${name}`),
  );
}
