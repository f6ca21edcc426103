/** Which machines ELF files are for. */

/** Machines by their number in ELF, as Node calls them. */
const MACHINES: Readonly<Record<number, string>> = {
  3: 'ia32',
  8: 'mips',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};

/** Whether a file that begins like this is an ELF file. */
export function isElf(head: Buffer): boolean {
  return head.length >= 20 && head.readUInt32BE(0) === 0x7f454c46;
}

/** The machine that an ELF file is for, in the words of `process.arch`; `machine 99` for one that Node does not know. */
export function elfMachine(head: Buffer): string {
  const isLittle = head[5] === 1;
  const number = isLittle ? head.readUInt16LE(18) : head.readUInt16BE(18);
  const machine = MACHINES[number] ?? `machine ${number}`;
  return machine === 'mips' && isLittle ? 'mipsel' : machine;
}
