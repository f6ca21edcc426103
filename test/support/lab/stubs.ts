/** Commands that stand in for tools that are not here. Written in sh: as quick to start as the tools. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stub, StubCall, StubOptions } from './types.ts';
import { uniqueName } from './users.ts';

/** @see Lab.stub */
export function createStub(directory: string, name: string, options: StubOptions = {}): Stub {
  const folder = join(directory, 'stubs', `${name}-${uniqueName()}`);
  const records = join(folder, '.calls');
  mkdirSync(records, { recursive: true });
  // Stubs are also run by users other than root.
  chmodSync(records, 0o1777);
  const path = join(folder, name);
  writeFileSync(path, script(folder, records, options), { mode: 0o755 });
  return { path, directory: folder, calls: () => readCalls(records) };
}

function script(folder: string, records: string, options: StubOptions): string {
  const parts = [
    '#!/bin/sh',
    // A record appears whole or not at all; its name tells the order.
    `r=${records}/$(date +%s.%N)-$$`,
    `{ printf '%s\\0' "$(id -u)" "$(pwd)" "$#" "$@"; cat /proc/$$/environ; } >"$r.tmp" && mv "$r.tmp" "$r"`,
  ];
  const say = (text: string, name: string): string => {
    writeFileSync(join(folder, `.${name}`), text, { mode: 0o644 });
    return `cat ${folder}/.${name}`;
  };
  if (options.stdout !== undefined) parts.push(say(options.stdout, 'stdout'));
  if (options.stderr !== undefined) parts.push(`${say(options.stderr, 'stderr')} >&2`);
  if (options.needsTerminal !== undefined) parts.push(`[ -t 0 ] || { ${say(options.needsTerminal, 'terminal')} >&2; exit 1; }`);
  for (const [index, [words, text]] of Object.entries(options.answers ?? {}).entries()) {
    parts.push(`case "$* " in ${quote(`${words} `)}*) ${say(text, `answer-${index}`)}; exit 0;; esac`);
  }
  if (options.refuses) parts.push(`${say(options.refuses.stderr, 'refusal')} >&2; exit ${options.refuses.exitCode}`);
  // Without an exec the pid that a test knows would be the shell's.
  if (options.hangs === true) parts.push('exec sleep infinity');
  if (options.prompt) parts.push(...dialogue(options.prompt));
  parts.push(
    options.tail === 'word'
      ? 'while [ $# -gt 1 ]; do shift; done; exec sh -c "$1"'
      : 'while [ $# -gt 0 ] && [ "$1" != sh ]; do shift; done; [ $# -gt 0 ] || exit 0; exec "$@"',
  );
  return `${parts.join('\n')}\n`;
}

function dialogue({
  text,
  password,
  on = 'terminal',
  tries = 3,
  wrong = 'Sorry, try again.',
}: NonNullable<StubOptions['prompt']>): string[] {
  const isOnTerminal = on === 'terminal';
  return [
    isOnTerminal ? 'exec 8</dev/tty 9>/dev/tty || exit 1; s=$(stty -g <&8); trap "stty $s <&8" EXIT; stty -echo <&8' : 'exec 8<&0 9>&2',
    `t=0; while :; do printf %s ${quote(text)} >&9; IFS= read -r p <&8 || exit 1; ${isOnTerminal ? 'echo >&9;' : ''}`,
    `[ "$p" = ${quote(password)} ] && break; printf '%s\\n' ${quote(wrong)} >&9; t=$((t+1)); [ $t -lt ${tries} ] || exit 1; done`,
    `${isOnTerminal ? 'stty $s <&8; trap - EXIT; ' : ''}exec 8<&- 9>&-; p=`,
  ];
}

function readCalls(records: string): StubCall[] {
  const names = readdirSync(records).filter((name) => !name.endsWith('.tmp'));
  return names.sort().map((name) => {
    const [uid, cwd = '', count, ...rest] = readFileSync(join(records, name), 'utf8').split('\0');
    const env = rest.slice(Number(count)).filter((entry) => entry.includes('='));
    return {
      argv: rest.slice(0, Number(count)),
      uid: Number(uid),
      cwd,
      env: Object.fromEntries(env.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)])),
    };
  });
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
