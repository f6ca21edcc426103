/** The TypeScript in the documentation: cut out of README.md and docs/, compiled with the project's own settings. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The project. */
export const ROOT: string = fileURLToPath(new URL('../../../', import.meta.url));
/** Where blocks are compiled: inside the project, so that `mitos` is found. */
const FOLDER = `${ROOT}.build/docs`;

/** One block. */
export interface Block {
  /** `README.md:19`: where it begins. */
  place: string;
  /** Its file, without ending. */
  name: string;
  code: string;
  /** It is a whole program: it is run. */
  isProgram: boolean;
  /** What it prints, `…` for anything: the `text` block that follows it. */
  output: string | undefined;
}

/** What fragments may use without saying where it comes from. */
const GLOBALS = `
import type * as api from 'mitos';
import type nodeOs from 'node:os';

declare global {
  const router: api.Router;
  const context: api.Context;
  const contexts: api.Context[];
  const os: typeof nodeOs;
  const Router: typeof api.Router;
  const group: typeof api.group;
  const select: typeof api.select;
  const self: typeof api.self;
}
`;

/** The pages that have blocks. */
function pages(): string[] {
  const below = (folder: string): string[] =>
    readdirSync(ROOT + folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? below(`${folder}/${entry.name}`) : entry.name.endsWith('.md') ? [`${folder}/${entry.name}`] : [],
    );
  return ['README.md', ...below('docs').sort()];
}

/** All `ts` blocks. */
export function readBlocks(): Block[] {
  return pages().flatMap((page) => {
    const text = readFileSync(ROOT + page, 'utf8');
    return [...text.matchAll(/^```ts\n([\s\S]*?)^```\n(?:\n(?:It prints:\n\n)?```text\n([\s\S]*?)^```\n)?/gm)].map((match, index) => {
      const code = match[1] ?? '';
      const line = text.slice(0, match.index).split('\n').length + 1;
      const name = `${page.replace(/\.md$/, '').replace(/\W/g, '-')}-${index + 1}`;
      const isProgram = code.includes('await main(import.meta,') || code.includes('await using router = new Router');
      return { place: `${page}:${line}`, name, code, isProgram, output: isProgram ? match[2] : undefined };
    });
  });
}

/** Compiles blocks; returns what the compiler says, empty if nothing. */
export function compileBlocks(blocks: readonly Block[]): string {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(`${FOLDER}/source`, { recursive: true });
  writeFileSync(`${FOLDER}/source/globals.d.ts`, GLOBALS);
  for (const { name, code } of blocks)
    writeFileSync(`${FOLDER}/source/${name}.ts`, /^(?:im|ex)port /m.test(code) ? code : `${code}\nexport {};\n`);
  const options = { composite: false, declaration: false, declarationMap: false, isolatedDeclarations: false, noUnusedLocals: false };
  const project = {
    extends: '../../tsconfig.base.json',
    compilerOptions: { ...options, rootDir: 'source', outDir: 'out', noEmitOnError: false },
    include: ['source'],
  };
  writeFileSync(`${FOLDER}/tsconfig.json`, JSON.stringify(project));
  const { stdout, stderr } = spawnSync(process.execPath, [`${ROOT}node_modules/typescript/bin/tsc`, '-p', FOLDER, '--pretty', 'false'], {
    encoding: 'utf8',
  });
  return (stdout + stderr).replace(/^.*?source\/([\w-]+)\.ts\((\d+)/gm, (_all, name: string, line: string) => {
    const block = blocks.find((one) => one.name === name);
    const [page, first] = (block?.place ?? ':0').split(':');
    return `${page}:${Number(first) + Number(line) - 1} (`;
  });
}

/** The compiled program of a block, as seen from the project. */
export function programOf(block: Block): string {
  return `.build/docs/out/${block.name}.js`;
}
