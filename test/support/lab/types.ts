/** What the lab gives to tests. Everything is made for one test file and undone after it. */
import type { ProcessInfo } from '#src/testing/index.js';

/** Something that runs or exists until it is closed; closing twice is fine, and the lab closes what is left. */
export interface Fixture extends AsyncDisposable {
  /** Ends it, waits until its processes are gone, and removes what it made. */
  close(): Promise<void>;
}

/** What this machine has to have; see `needs()`. */
export type Need =
  | 'root'
  | 'users'
  | 'sshd'
  | 'sudo'
  | 'doas'
  | 'su'
  | 'podman'
  | 'buildah'
  | 'docker'
  | 'lxc'
  | 'nspawn'
  | 'namespaces'
  | 'chroot'
  | 'shells';

/** The rooms of a lab, for one test file. See `openLab()`. */
export interface Lab extends Fixture {
  /** A directory that every user may enter and read; ends with the lab. */
  readonly directory: string;
  /** Node as every user of this machine can run it (`process.execPath`, or a copy when that lies in somebody's home). */
  readonly node: string;
  /** A system user of its own. */
  user(options?: UserOptions): Promise<LabUser>;
  /** OpenSSH's server on a loopback port. */
  sshd(options?: SshdOptions): Promise<Sshd>;
  /** A checked file in /etc/sudoers.d. Rules must name users of this lab, as test files run at the same time. */
  sudoers(text: string): Promise<Fixture>;
  /** Lines for /etc/doas.conf, such as `permit nopass alice as root`; other test files' lines stay. */
  doas(lines: string): Promise<Fixture>;
  /** A command that stands in for a tool that is not here. */
  stub(name: string, options?: StubOptions): Stub;
  /** A root filesystem that sees this machine's programs read-only; its own /etc, /tmp, /root. Shared by the containers of the lab. */
  rootfs(): Promise<string>;
  /** A running podman container. */
  podman(): Promise<Container>;
  /** A buildah working container. */
  buildah(): Promise<Container>;
  /** A container for docker's client: podman's service answers on a socket; pass `env` (DOCKER_HOST) to the client. */
  docker(): Promise<Container>;
  /** A running LXC container. */
  lxc(): Promise<Container>;
  /** A container started by systemd-nspawn: for `nsenter`; machinectl needs systemd as pid 1. */
  nspawn(): Promise<Container>;
  /** A process asleep in mount, pid, uts and ipc namespaces of its own. */
  namespaces(): Promise<Container>;
  /** A directory for chroot(1). */
  chroot(): Promise<Container>;
}

/** Login shells that the lab knows. */
export type LabShell = 'sh' | 'bash' | 'zsh' | 'fish' | 'tcsh' | 'dash' | 'ksh' | 'ash' | 'nologin';

/** Where a home can hold a Node that no PATH leads to. */
export type NodePlace = 'nvm' | 'fnm' | 'volta' | 'asdf' | 'mise' | 'n';

/** How {@link Lab.user} makes a user. */
export interface UserOptions {
  /** Its login shell; `ash` is busybox's. A path is taken as it is. @default 'sh' */
  shell?: LabShell | `/${string}`;
  /** Its password; false for an account that has none and can use keys only. @default a random one */
  password?: string | false;
  /** Whether the password has to be changed at the next login. @default false */
  isPasswordExpired?: boolean;
  /** Files to write into the home, by path. */
  files?: Readonly<Record<string, string>>;
  /** What all start files of its shell print, such as `noise(10_000_000)`; on stdout and on stderr. */
  noise?: string;
  /** Puts a Node there in its home; combine with `hidesNode` of {@link SshdOptions}. */
  nodeIn?: NodePlace;
}

/** A system user. */
export interface LabUser extends Fixture {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** The path of its login shell. */
  readonly shell: string;
  /** Empty when it has none. */
  readonly password: string;
  /** Its living processes. */
  processes(): ProcessInfo[];
  /** Writes a file of the user's below its home, with directories; 0600 by default. */
  write(path: string, text: string, mode?: number): void;
}

/** How {@link Lab.sshd} configures the server. Keys in the lab's directory open every account unless `authorizedKeys` says otherwise. */
export interface SshdOptions {
  /** @default a free one */
  port?: number;
  /** @default false; true as soon as passwords or keyboard-interactive are asked for */
  usePam?: boolean;
  /** @default false */
  passwordAuthentication?: boolean;
  /** Passwords by PAM's dialogue. @default false */
  keyboardInteractive?: boolean;
  /** Lines of authorized_keys, for all users. @default the plain and the encrypted key */
  authorizedKeys?: string;
  /** Accepts certificates of the lab's user authority ({@link ClientKeys.certified}). @default false */
  trustsUserAuthority?: boolean;
  /** Shows a host certificate of the lab's host authority. @default false */
  hasHostCertificate?: boolean;
  /** Text before authentication, up to 262000 bytes: with more, sshd drops every connection ("mm_request_send: write: Broken pipe"). For more, see `noise`. */
  banner?: string;
  /** Such as `2:50:5`. */
  maxStartups?: string;
  maxSessions?: number;
  forceCommand?: string;
  /** Environment of all sessions, over whatever the client sends. */
  env?: Readonly<Record<string, string>>;
  /** Makes Node's own files unreachable for the sessions (a mount namespace), except copies the lab made, such as `nodeIn` of a user. @default false */
  hidesNode?: boolean;
  /** With `hidesNode`: the sessions see a root that is read-only; /tmp, /var/tmp, /dev/shm and /run can be written to, but nothing runs there. @default false */
  isReadOnly?: boolean;
  /** More lines for sshd_config; they come first, and the first value wins. */
  lines?: readonly string[];
}

/** Private keys; `.pub` beside each. */
export interface ClientKeys {
  plain: string;
  encrypted: string;
  /** Opens `encrypted`. */
  passphrase: string;
  /** Has a certificate of the user authority beside it (`-cert.pub`), and is in no authorized_keys. */
  certified: string;
  /** A key nobody accepts. */
  stranger: string;
}

/** known_hosts files for one server. */
export interface KnownHosts {
  /** Holds its key. */
  right: string;
  /** The same, with the host's name hashed. */
  hashed: string;
  /** Holds another key for it. */
  changed: string;
  /** Holds nothing. A fresh file at each read of the property, so that `accept-new` can write to it. */
  readonly empty: string;
  /** Marks its key as revoked. */
  revoked: string;
  /** Trusts the host authority. */
  authority: string;
}

/** A running sshd. */
export interface Sshd extends Fixture {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly pid: number;
  readonly keys: ClientKeys;
  readonly knownHosts: KnownHosts;
  /**
   * An ssh_config for `ssh -F` in which the host is called `lab`: port, plain key only, right known_hosts, no agent.
   * Node on the far side is {@link Lab.node}.
   */
  readonly clientConfig: string;
  /** What sshd logged so far (DEBUG1). */
  log(): string;
  /** Makes `ssh -p PORT 127.0.0.1` work for a user of this machine: plain key, known_hosts and config in its `~/.ssh`. */
  installClient(user: LabUser): void;
}

/** What a stub does, in this order: record, noise, need a terminal, answer a subcommand, refuse, hang, prompt, and start what it was asked for. */
export interface StubOptions {
  /** Printed before anything else. */
  stdout?: string;
  /** Printed before anything else. */
  stderr?: string;
  /** Without a terminal on stdin it prints this on stderr and exits with 1. */
  needsTerminal?: string;
  /** When the first arguments are these words (such as `info web`), it prints the text and exits with 0. */
  answers?: Readonly<Record<string, string>>;
  /** It prints the text on stderr and exits. */
  refuses?: { stderr: string; exitCode: number };
  /** It reads and says nothing for good. @default false */
  hangs?: boolean;
  /** Asks for a password on `on`: the controlling terminal (echo off) or stderr and stdin. A wrong one is asked for again, `tries` times in all. */
  prompt?: { text: string; password: string; on?: 'terminal' | 'stdin'; tries?: number; wrong?: string };
  /** What is the command in the arguments: what starts with the first `sh`, or the last argument as one word for a shell. @default 'argv' */
  tail?: 'argv' | 'word';
}

/** A call of a stub. */
export interface StubCall {
  /** Its arguments, without its own name. */
  argv: string[];
  uid: number;
  cwd: string;
  /** Its environment, as it got it. */
  env: Record<string, string>;
}

/** A stub command. */
export interface Stub {
  /** Its file. */
  readonly path: string;
  /** The directory for PATH; holds this stub alone. */
  readonly directory: string;
  /** Its calls so far, in order. */
  calls(): StubCall[];
}

/** Something to enter. */
export interface Container extends Fixture {
  /** What the tool calls it; for `chroot` the directory. */
  readonly name: string;
  /** Its first process as this machine numbers it; 0 when it has none. */
  readonly pid: number;
  /** Its root as seen from here. */
  readonly root: string;
  /** Node's path inside. */
  readonly node: string;
  /** The tool's program. */
  readonly tool: string;
  /** Environment that the tool needs. */
  readonly env: Readonly<Record<string, string>>;
  /** Its host name, different from this machine's where it has an UTS namespace. */
  readonly hostname: string;
}
