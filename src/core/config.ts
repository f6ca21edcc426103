/** What a context is told about itself when it starts. */
import type { Limits } from './limits.ts';
import type { KeepAlive } from './stream.ts';
import type { ContextId } from './wire.ts';

/** The parent's greeting: the first frame on a link, read before anything else. */
export interface ChildConfig {
  id: ContextId;
  name: string;
  /** Parent first, master last. */
  ancestors: ContextId[];
  /** Their names, in the same order. */
  ancestorNames: string[];
  /** What `ps` shows: `mitos:<user@host:pid of the master>`. */
  title: string;
  isThreadless: boolean;
  isUnidirectional: boolean;
  /** Whether bytes are dear on the link to the parent. */
  isThin?: boolean | undefined;
  limits: Limits;
  keepAlive: KeepAlive;
  env?: Record<string, string> | undefined;
  cwd?: string | undefined;
  /** What happens to native addons. */
  addons?: 'refuse' | 'ram' | undefined;
  /** Bytes of whole frames that follow this greeting, on their way already. */
  firstBytes?: number;
}

/** A child's greeting, and what `info()` gives. */
export interface ContextInfo {
  pid: number;
  /** Version of Node, without the `v`. */
  node: string;
  platform: string;
  arch: string;
  user: string;
  /** -1 where there are no user ids. */
  uid: number;
  hostname: string;
  cwd: string;
}

/** How the I/O thread tells the user's thread to end, beside frames. */
export interface LifeNotice {
  graceMs: number;
}

/** Options that every connection method takes, as a program gives them and as they travel. */
export interface StartOptions {
  /** What `ps` shows of the process there. @default `mitos:<user@host:pid>` of the program */
  remoteName?: string;
  /** The command that starts Node there. By default: for `local` the Node that runs here, else the first one found. */
  node?: string | readonly string[];
  /**
   * Time for the whole bootstrap, in milliseconds. While a Node is pushed it begins again with whatever moves, so that only a push that
   * stands still runs into it. @default 30000
   */
  connectTimeoutMs?: number;
  /**
   * What happens where there is no Node, or only one that is too old: `auto` pushes one, which runs from memory and leaves nothing behind; `never` is an
   * error; `push` pushes one without looking for another; `look` looks how one would be pushed, and is an error that says so. Where `node` says what to run, `auto` pushes nothing. @default 'auto'
   */
  runtime?: 'auto' | 'never' | 'push' | 'look';
  /** Run broker and user code on one thread: less memory and faster calls, but code that blocks stops everything. @default false */
  threadless?: boolean;
  /** When a quiet link is probed and given up. */
  keepAlive?: Partial<KeepAlive>;
  /** Variables to add to the environment there. */
  env?: Record<string, string>;
  /** The directory to start in. */
  cwd?: string;
  /**
   * What happens to native addons of packages: they are refused with `ERR_MITOS_ADDON`, or loaded from RAM where platform, libc and ABI
   * match. @default as the parent, in the end as the router: 'refuse'
   */
  addons?: 'refuse' | 'ram';
}
