/**
 * What an executable is, and how it gets smaller: symbols and debugging information of an ELF file lie behind everything that is loaded, so
 * they can be cut off without knowing more about the file than its header (Node 20.20.2 for x64: 98.9 MB become 86.4 MB, as with `strip`, and
 * 33.7 MB instead of 35.9 MB packed).
 */
import { type FileHandle, open } from 'node:fs/promises';
import { elfMachine, isElf } from '../elf-machine.ts';
import { pushError } from './failure.ts';
import { runProgram } from './program.ts';

/** What the tarballs of Node call machines otherwise than Node itself. */
const TARBALL_ARCHS: Readonly<Record<string, string>> = { arm: 'armv7l', ppc64: 'ppc64le' };
const MACH_O_CPUS: Readonly<Record<number, string>> = { 0x0100_0007: 'x64', 0x0100_000c: 'arm64' };
const PT_LOAD = 1;
const TRIAL_MS = 20_000;

/** Throws when the file is no executable for that place. */
export async function checkPlace(file: string, platform: string, arch: string, what: string): Promise<void> {
  const handle = await open(file);
  try {
    const head = await read(handle, 0, 64);
    const found = placeOf(head);
    if (found === `${platform}-${arch}`) return;
    throw pushError(`${what} is ${found === undefined ? 'no executable' : `for ${found}, not for ${platform}-${arch}`}`, {
      hint: 'replace the file',
    });
  } finally {
    await handle.close();
  }
}

function placeOf(head: Buffer): string | undefined {
  if (head.length < 20) return undefined;
  if (isElf(head)) {
    const machine = elfMachine(head);
    return `linux-${TARBALL_ARCHS[machine] ?? machine}`;
  }
  if (head.readUInt32LE(0) !== 0xfeedfacf) return undefined;
  const cpu = head.readUInt32LE(4);
  return `darwin-${MACH_O_CPUS[cpu] ?? `cpu${cpu}`}`;
}

/** Cuts off what is not loaded, in place. Leaves everything alone that it does not understand. @returns the bytes that were saved */
export async function cutUnloaded(file: string): Promise<number> {
  const handle = await open(file, 'r+');
  try {
    const { size } = await handle.stat();
    const head = await read(handle, 0, 64);
    const layout = layoutOf(head);
    if (!layout) return 0;
    const table = await read(handle, layout.programs, layout.programCount * layout.programSize);
    if (table.length < layout.programCount * layout.programSize) return 0;
    const end = endOfLoaded(table, layout);
    // Behind the table of sections there is nothing, or it is data that someone attached and looks for.
    if (end === 0 || layout.sections < end || layout.sectionsEnd !== size) return 0;
    layout.forgetSections(head);
    await handle.write(head, 0, head.length, 0);
    await handle.truncate(end);
    return size - end;
  } finally {
    await handle.close();
  }
}

interface Layout {
  programs: number;
  programCount: number;
  programSize: number;
  sections: number;
  sectionsEnd: number;
  /** Type of a segment, and where its bytes end in the file. */
  segment(table: Buffer, at: number): { type: number; end: number };
  forgetSections(head: Buffer): void;
}

/** Where an ELF header says that its tables are. Both word sizes and both byte orders exist. */
function layoutOf(head: Buffer): Layout | undefined {
  if (head.length < 64 || !isElf(head)) return undefined;
  const is64 = head[4] === 2;
  const isBig = head[5] === 2;
  const short = (from: Buffer, at: number): number => (isBig ? from.readUInt16BE(at) : from.readUInt16LE(at));
  const long = (from: Buffer, at: number): number => (isBig ? from.readUInt32BE(at) : from.readUInt32LE(at));
  const word = (from: Buffer, at: number): number =>
    is64 ? Number(isBig ? from.readBigUInt64BE(at) : from.readBigUInt64LE(at)) : long(from, at);
  const counts = is64 ? 0x36 : 0x2a; // e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
  const sectionsAt = is64 ? 0x28 : 0x20;
  const sections = word(head, sectionsAt);
  return {
    programs: word(head, is64 ? 0x20 : 0x1c),
    programSize: short(head, counts),
    programCount: short(head, counts + 2),
    sections,
    sectionsEnd: sections + short(head, counts + 4) * short(head, counts + 6),
    segment: (table, at) => ({
      type: long(table, at),
      end: word(table, at + (is64 ? 8 : 4)) + word(table, at + (is64 ? 0x20 : 0x10)),
    }),
    forgetSections: (target) => {
      target.fill(0, sectionsAt, sectionsAt + (is64 ? 8 : 4));
      target.fill(0, counts + 6, counts + 10);
    },
  };
}

function endOfLoaded(table: Buffer, layout: Layout): number {
  let end = 0;
  let isLoaded = false;
  for (let at = 0; at < layout.programCount; at++) {
    const segment = layout.segment(table, at * layout.programSize);
    if (segment.type === PT_LOAD) isLoaded = true;
    if (segment.type !== 0 && segment.end > end) end = segment.end;
  }
  return isLoaded ? end : 0;
}

/**
 * Starts an executable that is for this very machine and compares its version.
 *
 * @returns what is wrong with it; undefined when all is well, or when it cannot be tried here
 */
export async function trial(file: string, version: string, signal: AbortSignal): Promise<string | undefined> {
  const end = AbortSignal.any([signal, AbortSignal.timeout(TRIAL_MS)]);
  try {
    const { status, signal: killedBy, stdout, stderr } = await runProgram([file, '-v'], { env: {}, cwd: '/' }, end);
    if (status === 0) return stdout.trim() === `v${version}` ? undefined : `it is ${stdout.trim().slice(0, 40)}, not v${version}`;
    // The loader's word: another libc, or a library that this machine lacks.
    if (status === 127) return undefined;
    return `it ended with ${killedBy ?? status}: ${stderr.trim().split('\n').at(-1)?.slice(0, 200) ?? ''}`;
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOEXEC') return 'the system does not take it as an executable';
    if (code !== undefined && ['EACCES', 'EPERM', 'ENOENT', 'ETXTBSY'].includes(code)) return undefined;
    return message;
  }
}

async function read(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
