/** Options of the connection methods, one interface each. The common ones are in {@link ConnectOptions}. */
import type { Secret } from '../core/secret.ts';
import type { Context } from './context.ts';
import type { ConnectOptions } from './options.ts';

/** Options of `local()`. */
export interface LocalOptions extends ConnectOptions {}

/** Options of `worker()`. It runs in this process: `node`, `threadless`, `cwd` and `remoteName` have no meaning for it. */
export interface WorkerOptions extends Omit<ConnectOptions, 'node' | 'threadless' | 'cwd' | 'remoteName'> {}

/** Options of `ssh()`. What is left out is as the user's own ssh configuration says. */
export interface SshOptions extends ConnectOptions {
  /** Name or address of the machine, or an alias of the ssh configuration. */
  hostname: string;
  port?: number;
  username?: string;
  /** Private keys to offer, by their paths on the machine that runs ssh. */
  identityFile?: string | readonly string[];
  /** Offer those keys only, none of an agent. @default true when `identityFile` is given */
  identitiesOnly?: boolean;
  /** For password and keyboard-interactive authentication. Sent once. */
  password?: Secret | string;
  /** For encrypted keys. */
  passphrase?: Secret | string;
  /** What a host key that is not known means: an error, or it is remembered. `ignore` accepts any key, also a changed one. @default 'enforce' */
  hostKeys?: 'enforce' | 'accept-new' | 'ignore';
  /** Files of known host keys, in place of the usual ones. */
  knownHosts?: string | readonly string[];
  /** The ssh program. @default 'ssh' */
  sshPath?: string;
  /** Further arguments of the ssh program. */
  sshArgs?: readonly string[];
  /** The configuration file, in place of `~/.ssh/config`. */
  configFile?: string;
  /** Have ssh compress what passes. What mitos sends of its own is compressed already. @default false */
  compression?: boolean;
  /** 1 to 3: ssh tells what it does, in log records. @default 0 */
  debugLevel?: number;
  /** How often a connection that is dropped before authentication is tried again, after random pauses. @default 4 */
  retries?: number;
  /** `openssh` runs the system's ssh program; `in-process` needs the npm package ssh2, and runs in the program itself. @default 'openssh' */
  transport?: 'openssh' | 'in-process';
  /** With `in-process`: the context from which the machine is reached. Keys stay in this program; it only carries the bytes. */
  through?: Context;
}

/** Options of `sudo()`. */
export interface SudoOptions extends ConnectOptions {
  /** @default 'root' */
  username?: string;
  /** Sent once, and only when sudo asks. Without it sudo is told not to ask. */
  password?: Secret | string;
  /** @default 'sudo' */
  sudoPath?: string;
  /** Keep the environment: all of it, or the variables listed (where the policy allows it). */
  preserveEnv?: boolean | readonly string[];
  /** Set HOME to that of the user. */
  setHome?: boolean;
  /** Start from a login shell of the user. */
  login?: boolean;
  selinuxRole?: string;
  selinuxType?: string;
  /** Further arguments of sudo. */
  sudoArgs?: readonly string[];
}

/** Options of `su()`, `doas()`, `run0()` and `runuser()`. */
export interface UserSwitchOptions extends ConnectOptions {
  /** @default 'root' */
  username?: string;
  /** Sent once, and only when the program asks. */
  password?: Secret | string;
  /** The program. */
  path?: string;
}

/** Options of `docker()`, `podman()`, `buildah()` and `nerdctl()`: one of `container` and `image`. */
export interface ContainerOptions extends ConnectOptions {
  /** A running container, by name or id. */
  container?: string;
  /** An image, to start a container of that is removed at the end. */
  image?: string;
  username?: string;
  /** The program. */
  path?: string;
}

/** Options of `kubectl()`. */
export interface KubectlOptions extends ConnectOptions {
  pod: string;
  namespace?: string;
  /** The container, for pods of several. */
  containerName?: string;
  kubeconfig?: string;
  /** Further arguments of kubectl. */
  kubectlArgs?: readonly string[];
  /** @default 'kubectl' */
  path?: string;
}

/** Options of `lxc()`, `lxd()`, `incus()`, `jail()` and `machinectl()`. */
export interface MachineOptions extends ConnectOptions {
  container: string;
  username?: string;
  /** The program. */
  path?: string;
}

/** What can tell the process of a container to `nsenter()`. */
export type ContainerKind = 'docker' | 'podman' | 'lxc' | 'lxd' | 'incus' | 'machinectl';

/** Options of `nsenter()`: a process, or a container and its kind. */
export interface NsenterOptions extends ConnectOptions {
  /** A process whose namespaces are joined. */
  pid?: number;
  container?: string;
  kind?: ContainerKind;
  /** @default 'nsenter' */
  path?: string;
}

/** Options of `chroot()`. */
export interface ChrootOptions extends ConnectOptions {
  /** The directory that becomes the root. */
  root: string;
  username?: string;
  /** @default 'chroot' */
  path?: string;
}

/** Options of `command()`. */
export interface CommandOptions extends ConnectOptions {
  /** A program and its arguments; it has to run the arguments that follow as a command. */
  argv: readonly string[];
  /** It takes the command as one argument, a line for a shell, as `ssh` and `su -c` do. @default false */
  asWord?: boolean;
  /** What it asks, to the byte, and what is typed then, once. */
  prompts?: readonly { expect: string; send: Secret | string }[];
  /** Give it a terminal for its prompts. @default false */
  terminal?: boolean;
}

/** The options of each method. */
export interface MethodOptions {
  local: LocalOptions;
  worker: WorkerOptions;
  ssh: SshOptions;
  sudo: SudoOptions;
  su: UserSwitchOptions;
  doas: UserSwitchOptions;
  run0: UserSwitchOptions;
  runuser: UserSwitchOptions;
  docker: ContainerOptions;
  podman: ContainerOptions;
  buildah: ContainerOptions;
  nerdctl: ContainerOptions;
  kubectl: KubectlOptions;
  lxc: MachineOptions;
  lxd: MachineOptions;
  incus: MachineOptions;
  jail: MachineOptions;
  machinectl: MachineOptions;
  nsenter: NsenterOptions;
  chroot: ChrootOptions;
  command: CommandOptions;
}

/** Names of connection methods. */
export type MethodName = keyof MethodOptions;
