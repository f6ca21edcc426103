/** What the tests of `ssh()` share. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import type { Context, ContextPromise, SshOptions } from 'mitos';
import type { OracleTestOptions } from '#src/testing/index.js';
import { type TreeTestContext, treeTest } from '../fixtures/programs/harness.js';
import type { LabUser, Sshd } from './lab/index.js';

/** Options that lead to a user of a server by the lab's plain key. */
export function toUser(server: Sshd, user: LabUser, more: Partial<SshOptions> = {}): SshOptions {
  return {
    hostname: server.host,
    port: server.port,
    username: user.name,
    identityFile: server.keys.plain,
    knownHosts: server.knownHosts.right,
    connectTimeoutMs: 20_000,
    ...more,
  };
}

/** The same by password: the key that is offered first is nobody's. */
export function byPassword(server: Sshd, user: LabUser, more: Partial<SshOptions> = {}): SshOptions {
  return toUser(server, user, { identityFile: server.keys.stranger, password: user.password, ...more });
}

/** A test with a router, skipped where `options` says so. */
export function sshTest(name: string, options: OracleTestOptions, fn: (context: TreeTestContext) => Promise<void>): void {
  treeTest(name, { test: options }, fn);
}

/** Connects and checks that a function runs there as that user. */
export async function reaches(connecting: ContextPromise, user: LabUser): Promise<Context> {
  // @ts-expect-error: one of the overloads of userInfo() wants options
  const { username } = (await connecting.call(os.userInfo)) as os.UserInfo<string>;
  assert.equal(username, user.name);
  return connecting;
}

/** How often something is in the log of a server. */
export function count(server: Sshd, pattern: RegExp): number {
  return [...server.log().matchAll(new RegExp(pattern, 'gm'))].length;
}

/** Everything that any user of this machine could read of processes. */
export function visible(): string {
  const read = (pid: string, name: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'latin1');
    } catch {
      return '';
    }
  };
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => [read(pid, 'cmdline'), read(pid, 'environ')]).join('\n');
}
