/** Packages find their caller's file by `Error.prepareStackTrace`. Modules that were sent have names of ours in stacks; what is asked there gets the file. */
import { fileURLToPath } from 'url';
import type { PackageFiles } from './package-files.ts';

type Prepare = (error: Error, sites: NodeJS.CallSite[]) => unknown;

/** Gives functions that prepare stacks the names of the files. */
export function installCallSites({ host }: PackageFiles): void {
  const nameOf = (name: unknown): unknown => {
    const id = /^mitos:(\d+)\//.exec(name as string);
    const url = id ? host.urlOf(+(id[1] as string)) : undefined;
    return url && url.startsWith('file:') ? fileURLToPath(url) : name;
  };
  const mapped = (site: NodeJS.CallSite): NodeJS.CallSite =>
    new Proxy(site, {
      get: (target, key) => {
        const value = (target as unknown as Record<string | symbol, unknown>)[key];
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          const result: unknown = value.apply(target, args);
          return key === 'getFileName' || key === 'getScriptNameOrSourceURL' ? nameOf(result) : result;
        };
      },
    });
  const made = new WeakSet<Prepare>();
  let used = Error.prepareStackTrace as Prepare | undefined;
  Object.defineProperty(Error, 'prepareStackTrace', {
    configurable: true,
    enumerable: true,
    get: () => used,
    set: (prepare: Prepare | undefined) => {
      used = prepare;
      // Packages put back what they have found.
      if (typeof prepare !== 'function' || made.has(prepare)) return;
      used = (error, sites) => prepare.call(Error, error, sites.map(mapped));
      made.add(used);
    },
  });
}
