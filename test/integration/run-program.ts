/** Programs of this project, run as a user runs them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project. */
export const ROOT: string = fileURLToPath(new URL('../../../', import.meta.url));

/** How a program ended. */
export interface Ended {
  stdout: string;
  stderr: string;
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Time from the last signal, or else from the start. */
  ms: number;
}

/** What to do with a program while it runs. */
export interface RunOptions {
  args?: readonly string[];
  env?: Record<string, string>;
  signal: AbortSignal;
  /** Called with all output so far whenever some comes. */
  onOutput?: (output: string, child: ChildProcess) => void;
}

/** Runs `node path …args`; `path` as seen from the project. */
export function runNode(path: string, options: RunOptions): Promise<Ended> {
  return run([process.execPath, ROOT + path, ...(options.args ?? [])], options);
}

/** Runs a program without a terminal. */
export function run([program, ...args]: readonly string[], { env, signal, onOutput }: RunOptions): Promise<Ended> {
  const base: NodeJS.ProcessEnv = { ...process.env };
  delete base['NO_COLOR'];
  const child = spawn(program as string, args, { cwd: ROOT, env: { ...base, ...env }, signal, killSignal: 'SIGKILL' });
  let startedAt = performance.now();
  const { kill } = child;
  child.kill = (name) => {
    startedAt = performance.now();
    return kill.call(child, name);
  };
  const outputs = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      outputs[name] += text;
      onOutput?.(outputs.stdout + outputs.stderr, child);
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, ended) => resolve({ ...outputs, code, signal: ended, ms: performance.now() - startedAt }));
  });
}

/** Hands the path of a program that is a shell script, for as long as `use` takes. Other test files look for what mitos leaves: its name is another. */
export async function withProgram(script: string, use: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'program-'));
  try {
    const path = join(folder, 'program');
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
