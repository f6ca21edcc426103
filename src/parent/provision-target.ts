/** What a target without Node has said of itself. */
import type { RuntimeQuery } from '../core/runtime-order.ts';
import { packingFor } from './provision-script.ts';

/** A target. */
export interface Target {
  query: RuntimeQuery;
  /** What it said of its machine and libc, for error texts. */
  machine: string;
  tools: ReadonlySet<string>;
  /** What works: `file`, or the program that makes a file in memory. */
  way: string | undefined;
  /** What does not, and why. */
  tried: readonly string[];
  /** Bytes of memory that are free; Infinity when that is not known. */
  freeMemory: number;
}

/** Names of machines, as uname has them, and as Node's packages have them. */
const ARCH: Readonly<Record<string, string>> = {
  x86_64: 'x64',
  amd64: 'x64',
  aarch64: 'arm64',
  arm64: 'arm64',
  armv7l: 'armv7l',
  armv8l: 'armv7l',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};
/** What programs of 32 bits are for, on machines of 64. */
const ARCH_32: Readonly<Record<string, string>> = { x64: 'x86', arm64: 'armv7l' };

/** Reads the lines of a probe, without the marker, in words. */
export function readTarget(said: readonly (readonly string[])[]): Target {
  const of = (key: string): string[][] => said.filter(([word]) => word === key).map(([, ...rest]) => rest);
  const [system = '', machine = ''] = of('os')[0] || [];
  const arch = ARCH[machine] || machine;
  const libcText = of('libc')
    .map((words) => words.join(' '))
    .join(' ');
  const isMusl = of('musl').length > 0 || /musl/i.test(libcText);
  const version = /(?:^|\s|glibc\s)(\d+\.\d+)(?:\.\d+)?\.?(?:\s|$)/i.exec(libcText);
  const tools = new Set(of('tool').map(([name]) => String(name)));
  const glibc = version && !/musl/i.test(libcText) ? version[1] : undefined;
  const libc = glibc ? 'glibc' : isMusl ? 'musl' : 'unknown';
  const is32 = of('bits').some(([bits]) => bits === '32');
  return {
    query: {
      platform: system.toLowerCase(),
      arch: is32 ? ARCH_32[arch] || arch : arch,
      libc,
      ...(glibc ? { glibc } : {}),
      packing: packingFor(tools),
    },
    machine: `${system} ${machine}, ${libc}${glibc ? ` ${glibc}` : ''}`,
    tools,
    way: (of('way')[0] || [])[0],
    tried: of('tried').map((words) => words.join(' ')),
    freeMemory: freeMemory(of('mem')[0], of('cgroup')[0]),
  };
}

function freeMemory(system: readonly string[] = [], [max, used]: readonly string[] = []): number {
  const free = Number(system[0]) * 1024 || Infinity;
  return Math.min(free, Number(max) - Number(used) || Infinity);
}
