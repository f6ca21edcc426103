/** The npm package ssh2, as far as it is used here. It is optional: nothing of it is loaded before the first connection that needs it. */
import type { EventEmitter } from 'node:events';
import type { Duplex, Readable } from 'node:stream';
import { SshError } from './ssh-error.ts';

/** A key, private or public. */
export interface ParsedKey {
  type: string;
  isPrivateKey(): boolean;
  getPublicSSH(): Buffer;
}

/** A program that holds keys and signs with them. */
export interface Agent {
  getIdentities(done: (error: Error | null | undefined, keys?: ParsedKey[]) => void): void;
}

/** One try to prove who one is. */
export type AuthStep =
  | { type: 'none'; username: string }
  | { type: 'agent'; username: string; agent: Agent }
  | { type: 'publickey'; username: string; key: ParsedKey }
  | { type: 'password'; username: string; password: Buffer }
  | { type: 'keyboard-interactive'; username: string; prompt: Prompter };

/** Answers questions of a server. */
export type Prompter = (
  name: string,
  instructions: string,
  language: string,
  prompts: { prompt: string; echo?: boolean }[],
  finish: (answers: string[]) => void,
) => void;

/** A channel of a connection: a program there, or a TCP connection made from there. */
export interface Channel extends Duplex {
  stderr: Readable;
}

/** How a client connects. */
export interface ClientOptions {
  sock: Duplex;
  username: string;
  readyTimeout: number;
  keepaliveInterval: number;
  keepaliveCountMax: number;
  algorithms: { serverHostKey?: string[]; compress: string[] };
  hostVerifier(key: Buffer): boolean;
  authHandler(left: string[] | null, isPartial: boolean | null, next: (step: AuthStep | false) => void): void;
  debug?: ((text: string) => void) | undefined;
}

/** An error of a client; `level` tells where it arose. */
export interface ClientError extends Error {
  level?: string;
  /** A name of the system's, or a number that the server gave when it hung up. */
  code?: string | number;
  /** Why a channel was refused. */
  reason?: number;
}

type Done = (error: ClientError | undefined, channel: Channel) => void;

/** A connection. */
export interface Client extends EventEmitter {
  connect(options: ClientOptions): void;
  exec(command: string, done: Done): void;
  forwardOut(fromHost: string, fromPort: number, host: string, port: number, done: Done): void;
  end(): void;
}

/** The package. */
export interface Ssh2 {
  Client: new () => Client;
  OpenSSHAgent: new (socketPath: string) => Agent;
  utils: { parseKey(data: Buffer, passphrase?: Buffer): ParsedKey | ParsedKey[] | Error };
}

const PACKAGE: string = 'ssh2';

/** Loads the package, or says how to get it. */
export async function loadSsh2(): Promise<Ssh2> {
  try {
    const loaded = (await import(PACKAGE)) as Ssh2 & { default?: Ssh2 };
    return loaded.default ?? loaded;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new SshError('ERR_MITOS_RESOURCE', `transport 'in-process' needs the npm package ssh2`, {
      hint: "run: npm install ssh2; or leave transport at 'openssh'",
    });
  }
}
