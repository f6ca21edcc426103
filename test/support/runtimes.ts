/** Small stand-ins for builds of Node: executables that print a version, tarballs of them, and a registry that serves those. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };
/** The architecture of this machine, and one that it cannot run. */
export const HERE: string = process.arch;
export const ELSEWHERE: string = HERE === 'x64' ? 'arm64' : 'x64';

/** What a stand-in is made of. */
export interface ExecutableOptions {
  arch?: string;
  /** What it prints. */
  version?: string;
  /** Bytes of symbols behind what is loaded. @default 5000 */
  symbols?: number;
  /** Data that someone attached behind the end. */
  attached?: string;
  /** Whether it needs bytes that its segments do not name. */
  isOdd?: boolean;
  /** A program that it becomes, with its own arguments; it prints nothing then. */
  becomes?: string;
  /** Makes two of them differ. */
  salt?: string;
}

/** An ELF executable that prints `v20.19.5` and ends. */
export function executable(options: ExecutableOptions = {}): Buffer {
  const { arch = ELSEWHERE, version = '20.19.5', symbols = 5000, attached = '', isOdd = false, becomes, salt = '' } = options;
  const message = Buffer.from(becomes === undefined ? `v${version}\n` : `${becomes}\0`);
  const code = becomes !== undefined ? becomingCode(arch) : arch === 'arm64' ? armCode(message.length) : x64Code(message.length);
  const start = 0x78;
  const loaded = Buffer.concat([code, message, Buffer.from(salt)]);
  const head = Buffer.alloc(start);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const end = start + loaded.length;
  head.writeUInt16LE(2, 0x10);
  head.writeUInt16LE(MACHINES[arch] as number, 0x12);
  head.writeUInt32LE(1, 0x14);
  head.writeBigUInt64LE(BigInt(0x400000 + start), 0x18);
  head.writeBigUInt64LE(64n, 0x20);
  head.writeBigUInt64LE(BigInt(end + symbols), 0x28);
  for (const [at, value] of [64, 56, 1, 64, 1, 0].entries()) head.writeUInt16LE(value, 0x34 + 2 * at);
  const segment = isOdd ? start + code.length : end;
  head.writeUInt32LE(1, 64);
  head.writeUInt32LE(5, 68);
  for (const [at, value] of [0, 0x400000, 0x400000, segment, segment, 0x1000].entries()) head.writeBigUInt64LE(BigInt(value), 72 + 8 * at);
  return Buffer.concat([head, loaded, Buffer.alloc(symbols, 's'), Buffer.alloc(64), Buffer.from(attached)]);
}

/** Bytes of `executable()` that are loaded. */
export function loadedSize(whole: Buffer): number {
  return Number(whole.readBigUInt64LE(96));
}

function x64Code(length: number): Buffer {
  // write(1, message, length); exit(0)
  const code = Buffer.from('b801000000bf01000000488d3510000000ba000000000f05b83c00000031ff0f05', 'hex');
  code.writeUInt32LE(length, 18);
  return code;
}

function armCode(length: number): Buffer {
  const words = [0xd2800020, 0x100000e1, (0xd2800002 | (length << 5)) >>> 0, 0xd2800808, 0xd4000001, 0xd2800000, 0xd2800ba8, 0xd4000001];
  const code = Buffer.alloc(4 * words.length);
  for (const [at, word] of words.entries()) code.writeUInt32LE(word, 4 * at);
  return code;
}

/** execve(path, its arguments, its environment); exit(1) */
function becomingCode(arch: string): Buffer {
  if (arch !== 'arm64') return Buffer.from('488b0424488d742408488d54c608488d3d13000000b83b0000000f05bf01000000b83c0000000f05', 'hex');
  const words = [0xf94003e9, 0x910023e1, 0x8b090c22, 0x91002042, 0x100000c0, 0xd2801ba8, 0xd4000001, 0xd2800020, 0xd2800ba8, 0xd4000001];
  const code = Buffer.alloc(4 * words.length);
  for (const [at, word] of words.entries()) code.writeUInt32LE(word, 4 * at);
  return code;
}

/** A tarball, packed with gzip. */
export function tarball(files: Readonly<Record<string, Buffer | string>>): Buffer {
  const blocks: Buffer[] = [];
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content as string);
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000755\0', 100);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        0ustar\u000000', 148);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

/** A package as npm has it. */
export function packageOf(bytes: Buffer): Buffer {
  return tarball({ 'package/package.json': '{"name":"x","version":"1.0.0"}', 'package/bin/node': bytes, 'package/README.md': 'x' });
}

/** The checksum that a registry gives. */
export function integrityOf(bytes: Buffer): string {
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
}

/** What a registry has. */
export interface Published {
  /** By `name@version`. */
  packages: Record<string, { bytes: Buffer; integrity?: string; serve?: (response: ServerResponse) => void }>;
}

/** A registry on loopback, until it is closed. */
export class FakeRegistry {
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;
  #url = '';

  constructor({ packages }: Published) {
    this.#server = createServer((request, response) => this.#answer(packages, request, response));
  }

  get url(): string {
    return this.#url;
  }

  async open(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
    return this;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(packages: Published['packages'], request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.asked.push(path);
    const [name = '', file] = path.slice(1).split('/-/');
    const versions = Object.entries(packages).filter(([spec]) => spec.startsWith(`${name}@`));
    if (file !== undefined) {
      const found = packages[`${name}@${file.slice(name.length + 1, -4)}`];
      if (found?.serve) found.serve(response);
      else response.writeHead(found ? 200 : 404).end(found?.bytes);
      return;
    }
    if (versions.length === 0) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
      return;
    }
    const entries = versions.map(([spec, { bytes, integrity }]) => {
      const version = spec.slice(name.length + 1);
      const dist = { integrity: integrity ?? integrityOf(bytes), tarball: `${this.#url}${name}/-/${name}-${version}.tgz` };
      return [version, { name, version, dist }] as const;
    });
    const document = { name, 'dist-tags': { latest: entries[0]?.[0] }, versions: Object.fromEntries(entries) };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  }
}

/** A place to work in: an empty cache, an empty directory of builds, and no network but the registry that is named. */
export interface Bench {
  cache: string;
  runtimes: string;
  /** Puts a file into the directory of builds. */
  seed(name: string, content: Buffer | string, mode?: number): Promise<string>;
  /** Lets npm ask that registry. */
  useRegistry(url: string): void;
}

/** Runs `work` with a bench, and takes that away afterwards. */
export async function withBench(work: (bench: Bench) => Promise<void>): Promise<void> {
  // Other test files look for what mitos leaves: its name is another.
  const root = await mkdtemp(join(tmpdir(), 'bench-runtimes-'));
  const [cache, runtimes] = [join(root, 'cache'), join(root, 'builds')];
  await mkdir(runtimes);
  const before = { ...process.env };
  const useRegistry = (url: string): void => {
    process.env['npm_config_registry'] = url;
  };
  Object.assign(process.env, { MITOS_CACHE_DIR: cache, npm_config_userconfig: join(root, 'npmrc'), npm_config_noproxy: '127.0.0.1' });
  delete process.env['MITOS_RUNTIMES'];
  useRegistry('http://127.0.0.1:9/');
  try {
    const seed = async (name: string, content: Buffer | string, mode = 0o755): Promise<string> => {
      const file = join(runtimes, name);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, content, { mode });
      return file;
    };
    await work({ cache, runtimes, seed, useRegistry });
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
    await rm(root, { recursive: true, force: true });
  }
}
