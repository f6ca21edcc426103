/** What a native addon asks of the machine that loads it, read from its ELF headers. */
import type { AddonFacts } from '../core/resource.ts';
import { elfMachine, isElf } from './elf-machine.ts';

const EVERYWHERE = /^(?:ld-linux|ld-musl|ld64|linux-vdso|lib(?:c|m|dl|rt|pthread|gcc_s|stdc\+\+|util|c\.musl-\w+)\.so)/;

/** What the headers say. */
export interface ElfFacts {
  arch: string;
  /** Shared libraries that it needs. */
  needed: string[];
  /** It looks for libraries beside itself. */
  looksBeside: boolean;
  /** The newest version of glibc that it needs; empty if none. */
  glibc: string;
}

/** Reads the headers; undefined for what is no ELF file, or not a whole one. */
export function readElf(file: Buffer): ElfFacts | undefined {
  try {
    return file.length > 64 && isElf(file) ? new Elf(file).facts() : undefined;
  } catch {
    return undefined;
  }
}

class Elf {
  readonly #file: Buffer;
  readonly #is64: boolean;
  readonly #isLittle: boolean;

  constructor(file: Buffer) {
    this.#file = file;
    this.#is64 = file[4] === 2;
    this.#isLittle = file[5] === 1;
  }

  facts(): ElfFacts {
    const tags = this.#dynamic();
    const table = this.#offsetOf(tags.find(([tag]) => tag === 5)?.[1] ?? 0);
    const size = tags.find(([tag]) => tag === 10)?.[1] ?? 0;
    const texts = this.#file.subarray(table, table + size);
    const text = (at: number): string => texts.toString('latin1', at, texts.indexOf(0, at));
    const of = (...wanted: number[]): string[] => tags.filter(([tag]) => wanted.includes(tag)).map(([, value]) => text(value));
    const versions = [...texts.toString('latin1').matchAll(/GLIBC_(\d+(?:\.\d+)+)/g)].map((match) => match[1] as string);
    return {
      arch: elfMachine(this.#file),
      needed: of(1),
      looksBeside: of(15, 29).some((path) => path.includes('$ORIGIN')),
      glibc: versions.sort(compareVersions).at(-1) ?? '',
    };
  }

  #half(at: number): number {
    return this.#isLittle ? this.#file.readUInt16LE(at) : this.#file.readUInt16BE(at);
  }

  #word(at: number): number {
    return this.#isLittle ? this.#file.readUInt32LE(at) : this.#file.readUInt32BE(at);
  }

  /** An address or offset. */
  #long(at: number): number {
    if (!this.#is64) return this.#word(at);
    return Number(this.#isLittle ? this.#file.readBigUInt64LE(at) : this.#file.readBigUInt64BE(at));
  }

  /** Program headers: type, offset, address, size in the file. */
  #segments(): [type: number, offset: number, address: number, size: number][] {
    const [start, size, count] = this.#is64
      ? [this.#long(32), this.#half(54), this.#half(56)]
      : [this.#long(28), this.#half(42), this.#half(44)];
    return Array.from({ length: count }, (_, index) => {
      const at = start + index * size;
      return this.#is64
        ? [this.#word(at), this.#long(at + 8), this.#long(at + 16), this.#long(at + 32)]
        : [this.#word(at), this.#word(at + 4), this.#word(at + 8), this.#word(at + 16)];
    });
  }

  #offsetOf(address: number): number {
    for (const [type, offset, from, size] of this.#segments())
      if (type === 1 && address >= from && address < from + size) return address - from + offset;
    return 0;
  }

  #dynamic(): [tag: number, value: number][] {
    const out: [number, number][] = [];
    const step = this.#is64 ? 8 : 4;
    for (const [type, offset, , size] of this.#segments()) {
      if (type !== 2) continue;
      for (let at = offset; at < offset + size; at += 2 * step) out.push([this.#long(at), this.#long(at + step)]);
    }
    return out;
  }
}

/** Orders versions such as `2.9` and `2.17`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference) return difference;
  }
  return 0;
}

/** What stands in the way of loading an addon there; undefined if nothing does that can be seen from here. */
export function refuseAddon(file: Buffer, { platform, arch, libc }: AddonFacts): string | undefined {
  if (platform !== 'linux') return `it can be loaded from RAM on linux only, and the platform there is ${platform}`;
  const elf = readElf(file);
  if (!elf) return 'the platform differs: it is no ELF file, as linux needs it';
  if (elf.arch !== arch) return `the architecture differs: it is built for ${elf.arch}, there it is ${arch}`;
  const isMusl = elf.needed.some((name) => /musl/.test(name));
  if (isMusl && libc !== 'musl' && libc !== '') return `the libc differs: it is built for musl, there it is glibc ${libc}`;
  if (elf.glibc !== '' && libc === 'musl') return `the libc differs: it is built for glibc ${elf.glibc}, there it is musl`;
  if (elf.glibc !== '' && libc !== '' && compareVersions(elf.glibc, libc) > 0)
    return `the libc differs: it needs glibc ${elf.glibc}, there it is ${libc}`;
  const beside = elf.looksBeside ? elf.needed.filter((name) => !EVERYWHERE.test(name)) : [];
  if (beside.length)
    return `it needs shared libraries beside itself (${beside.join(', ')}), and only the addon itself can be loaded from RAM`;
  return undefined;
}
