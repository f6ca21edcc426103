/** The connection methods, as a context has them: each starts a further context from there. */
import type { ContextPromise } from './context-promise.ts';
import type * as options from './method-options.ts';
import type { ConnectOptions } from './options.ts';

/**
 * What can be started from a context. Each method gives at once a promise of the new context that can already be called and
 * connected through; it rejects with a ConnectError. Wrong options throw a TypeError at once.
 */
export abstract class ConnectionMethods {
  /** @internal Starts a context by the method of that name. */
  abstract open(method: string, options: ConnectOptions): ContextPromise;

  /** Starts a process of the same user on the same machine. */
  local(given: options.LocalOptions = {}): ContextPromise {
    return this.open('local', given);
  }

  /** Starts a context on a worker thread of the same process. */
  worker(given: options.WorkerOptions = {}): ContextPromise {
    return this.open('worker', given);
  }

  /** Logs in to another machine. */
  ssh(given: options.SshOptions): ContextPromise {
    return this.open('ssh', given);
  }

  /** Becomes another user by sudo; root by default. */
  sudo(given: options.SudoOptions = {}): ContextPromise {
    return this.open('sudo', given);
  }

  /** Becomes another user by su; root by default. */
  su(given: options.UserSwitchOptions = {}): ContextPromise {
    return this.open('su', given);
  }

  /** Becomes another user by doas; root by default. */
  doas(given: options.UserSwitchOptions = {}): ContextPromise {
    return this.open('doas', given);
  }

  /** Becomes another user by systemd's run0; root by default. */
  run0(given: options.UserSwitchOptions = {}): ContextPromise {
    return this.open('run0', given);
  }

  /** Becomes another user by runuser, which root may do without a password. */
  runuser(given: options.UserSwitchOptions = {}): ContextPromise {
    return this.open('runuser', given);
  }

  /** Enters a Docker container, or starts one of an image. */
  docker(given: options.ContainerOptions): ContextPromise {
    return this.open('docker', given);
  }

  /** Enters a Podman container, or starts one of an image. */
  podman(given: options.ContainerOptions): ContextPromise {
    return this.open('podman', given);
  }

  /** Enters a working container of buildah. */
  buildah(given: options.ContainerOptions): ContextPromise {
    return this.open('buildah', given);
  }

  /** Enters a container of containerd, or starts one of an image. */
  nerdctl(given: options.ContainerOptions): ContextPromise {
    return this.open('nerdctl', given);
  }

  /** Enters a container of a Kubernetes pod. */
  kubectl(given: options.KubectlOptions): ContextPromise {
    return this.open('kubectl', given);
  }

  /** Enters an LXC container. */
  lxc(given: options.MachineOptions): ContextPromise {
    return this.open('lxc', given);
  }

  /** Enters an LXD container. */
  lxd(given: options.MachineOptions): ContextPromise {
    return this.open('lxd', given);
  }

  /** Enters an Incus container. */
  incus(given: options.MachineOptions): ContextPromise {
    return this.open('incus', given);
  }

  /** Enters a FreeBSD jail. */
  jail(given: options.MachineOptions): ContextPromise {
    return this.open('jail', given);
  }

  /** Enters a machine of systemd. */
  machinectl(given: options.MachineOptions): ContextPromise {
    return this.open('machinectl', given);
  }

  /** Joins the namespaces of a process. */
  nsenter(given: options.NsenterOptions): ContextPromise {
    return this.open('nsenter', given);
  }

  /** Changes the root directory. */
  chroot(given: options.ChrootOptions): ContextPromise {
    return this.open('chroot', given);
  }

  /** Runs any program that ends in a command on the far side. */
  command(given: options.CommandOptions): ContextPromise {
    return this.open('command', given);
  }
}
