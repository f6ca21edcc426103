/** System users for the time of a test file. */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findCommand } from '#src/testing/index.js';
import { readProcessTable } from '#src/testing/process-table.js';
import type { Journal } from './journal.ts';
import { run } from './process.ts';
import type { LabShell, LabUser, NodePlace, UserOptions } from './types.ts';

/** The account files have one lock for the machine, and test files run at the same time. */
const RETRY = 'i=0; until "$@"; do r=$?; [ $r = 1 ] || [ $r = 10 ] || exit $r; i=$((i+1)); [ $i -lt 50 ] || exit $r; sleep 0.1; done';

/** Where start files are that a shell reads for `ssh host command`, or as a login shell. */
const START_FILES = ['.profile', '.bashrc', '.kshrc', '.zshenv', '.zprofile', '.config/fish/config.fish', '.tcshrc', '.login'];

const NODE_PLACES: Readonly<Record<NodePlace, string>> = {
  nvm: `.nvm/versions/node/${process.version}/bin/node`,
  fnm: `.local/share/fnm/node-versions/${process.version}/installation/bin/node`,
  volta: '.volta/bin/node',
  asdf: `.asdf/installs/nodejs/${process.versions.node}/bin/node`,
  mise: `.local/share/mise/installs/node/${process.versions.node}/bin/node`,
  n: 'n/bin/node',
};

/** What user() needs of its lab. */
export interface UserRoom {
  journal: Journal;
  /** A Node outside of the usual places that every user can run. */
  nodeCopy(): string;
}

/** Makes a user; `room` undoes it. */
export function createUser(room: UserRoom, options: UserOptions = {}): LabUser {
  const { journal } = room;
  const name = uniqueName();
  const home = join(journal.directory, 'home', name);
  const shell = shellPath(journal.directory, options.shell ?? 'sh');
  const remove = journal.add('sh', '-c', 'id "$1" >/dev/null 2>&1 || exit 0; shift; ' + RETRY, 'sh', name, 'userdel', '-f', name);
  run([
    'sh',
    '-c',
    RETRY,
    'sh',
    'useradd',
    '--no-log-init',
    '--no-create-home',
    '--user-group',
    '--home-dir',
    home,
    '--shell',
    shell,
    name,
  ]);
  const [uid = 0, gid = 0] = ['-u', '-g'].map((what) => Number(run(['id', what, name])));
  mkdirSync(home, { recursive: true });
  chownSync(home, uid, gid);
  const password = options.password === false ? '' : (options.password ?? randomBytes(9).toString('base64url'));
  // An account with "!" for a password is locked for sshd; "*" is only without one.
  run(['sh', '-c', RETRY, 'sh', ...(password === '' ? ['usermod', '-p', '*', name] : ['chpasswd'])], { input: `${name}:${password}\n` });
  if (options.isPasswordExpired === true) run(['sh', '-c', RETRY, 'sh', 'chage', '-d', '0', name]);
  const close = async (): Promise<void> => remove();
  const user: LabUser = {
    ...{ name, uid, gid, home, shell, password },
    processes: () => [...readProcessTable().values()].filter((info) => info.state !== 'Z' && ownerOf(info.pid) === uid),
    write: (path, text, mode = 0o600) => writeAs(user, path, text, mode),
    close,
    [Symbol.asyncDispose]: close,
  };
  furnish(user, room, options);
  return user;
}

/** A name that no other test file uses. */
export function uniqueName(): string {
  return `mt${randomBytes(4).toString('hex')}`;
}

/**
 * Text as start files and banners print it, and worse: prompts, refusals, control bytes, and no line end at the end.
 *
 * @param bytes How long it is.
 */
export function noise(bytes: number): string {
  const line =
    'Welcome! password: Permission denied, please try again.\r \u001B[31mLast login: never\u001B[0m \u0007 [sudo] password for root: ok 1 \n';
  return line
    .repeat(Math.ceil(bytes / line.length))
    .slice(0, bytes - 1)
    .padEnd(bytes, '$');
}

function furnish(user: LabUser, room: UserRoom, { files = {}, noise: text, nodeIn }: UserOptions): void {
  for (const [path, content] of Object.entries(files)) user.write(path, content);
  if (text !== undefined) {
    user.write('.noise', text);
    // One line that all shells understand.
    for (const path of START_FILES) user.write(path, `cat ~/.noise; sh -c 'cat ~/.noise >&2'\n${files[path] ?? ''}`);
  }
  if (nodeIn !== undefined) user.write(NODE_PLACES[nodeIn], `#!/bin/sh\nexec ${room.nodeCopy()} "$@"\n`, 0o755);
}

function writeAs(user: LabUser, path: string, text: string, mode: number): void {
  const file = join(user.home, path);
  const made = mkdirSync(dirname(file), { recursive: true });
  for (let folder = dirname(file); made !== undefined && folder.length >= made.length; folder = dirname(folder)) {
    chownSync(folder, user.uid, user.gid);
    chmodSync(folder, 0o755);
  }
  writeFileSync(file, text);
  chmodSync(file, mode);
  chownSync(file, user.uid, user.gid);
}

function ownerOf(pid: number): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}

function shellPath(directory: string, shell: LabShell | `/${string}`): string {
  if (shell.startsWith('/')) return shell;
  if (shell === 'nologin') return '/usr/sbin/nologin';
  if (shell === 'sh') return '/bin/sh';
  const program = findCommand(shell === 'ash' ? 'busybox' : shell);
  if (program === undefined) throw new Error(`Cannot make a user with the shell ${shell}: it is not installed`);
  if (shell !== 'ash') return program;
  const link = join(directory, 'ash');
  if (statSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(program, link);
  return link;
}
