/**
 * Containers of podman, buildah and docker's client.
 *
 * On machines where cgroups v1 and v2 are mounted at once, crun says "cgroups in hybrid mode not supported, drop all controllers from
 * cgroupv2"; and without CAP_SYS_RESOURCE "setrlimit `RLIMIT_NOFILE`: Operation not permitted". So the lab's podman is a script that brings its own
 * configuration (no cgroups, no network, this machine's limits) and a crun that does not see cgroups v2. Pass its path, {@link Container.tool}.
 * docker's client talks to `podman system service`; there is no docker daemon.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand, readProcessTable } from '#src/testing/index.js';
import type { LabRoom } from './lab.ts';
import { container } from './namespaces.ts';
import { Daemon, run, tryRun } from './process.ts';
import { fillRootfs, INIT } from './rootfs.ts';
import type { Container } from './types.ts';
import { uniqueName } from './users.ts';

/** @see Lab.podman */
export async function startPodman(room: LabRoom): Promise<Container> {
  const root = await room.rootfs();
  const tool = engine(room.directory, 'podman');
  const name = uniqueName();
  const remove = room.journal.add(tool, 'rm', '--force', '--ignore', '--time', '0', name);
  run([tool, 'run', '--detach', '--name', name, '--hostname', name, '--rootfs', root, INIT]);
  const pid = Number(run([tool, 'inspect', '--format', '{{.State.Pid}}', name]));
  return container({ name, pid, root, tool, node: room.node, close: async () => remove() });
}

/** @see Lab.docker */
export async function startDocker(room: LabRoom): Promise<Container> {
  const inner = await startPodman(room);
  const socket = join(room.directory, `${inner.name}.sock`);
  const service = new Daemon([inner.tool, 'system', 'service', '--time=0', `unix://${socket}`], join(room.directory, `${inner.name}.log`));
  const env = { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(room.directory, 'docker') };
  const tool = findCommand('docker') ?? 'docker';
  await service.until(() => (tryRun([tool, 'inspect', inner.name], { env }).status === 0 ? true : undefined));
  const close = async (): Promise<void> => {
    await service.close();
    await inner.close();
    // The service lets the monitor of what ran in a container wait for five minutes, in case somebody asks how it ended.
    for (const { pid, command } of readProcessTable().values()) {
      if (/^\S*conmon /.test(command) && command.includes(`${room.directory}/`)) process.kill(pid, 'SIGKILL');
    }
  };
  return container({ ...inner, tool, env, close });
}

/** @see Lab.buildah */
export async function startBuildah(room: LabRoom): Promise<Container> {
  const tool = engine(room.directory, 'buildah');
  const name = uniqueName();
  const remove = room.journal.add('sh', '-c', '"$1" rm "$2" >/dev/null 2>&1; true', 'sh', tool, name);
  run([tool, 'from', '--name', name, '--isolation', 'oci', '--volume', '/usr:/usr:ro', 'scratch']);
  run([tool, 'config', '--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', name]);
  const root = run([tool, 'mount', name]).trim();
  fillRootfs(room, root);
  return container({ name, pid: 0, root, tool, node: room.node, hostname: '', close: async () => remove() });
}

/** The path of the lab's own `podman` or `buildah`. */
function engine(directory: string, name: 'podman' | 'buildah'): string {
  const folder = join(directory, 'engine');
  const tool = join(folder, name);
  if (existsSync(tool)) return tool;
  mkdirSync(folder, { recursive: true });
  const crun = join(folder, 'crun');
  const hidden = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun "$@"';
  writeFileSync(crun, `#!/bin/sh\nexec unshare --mount sh -c '${hidden}' crun "$@"\n`, { mode: 0o755 });
  const config = join(folder, 'containers.conf');
  writeFileSync(config, configText(crun));
  const env = `export CONTAINERS_CONF=${config} BUILDAH_ISOLATION=oci`;
  writeFileSync(tool, `#!/bin/sh\n${env}\nexec ${findCommand(name) ?? name} "$@"\n`, { mode: 0o755 });
  return tool;
}

function configText(crun: string): string {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = (name: string): number => Number(new RegExp(`^${name}\\s+\\S+\\s+(\\d+)`, 'm').exec(limits)?.[1] ?? 4096);
  const files = hard('Max open files');
  // The engines lower their own limit to this before they start anything.
  const processes = Math.min(hard('Max processes'), Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')));
  return `[containers]
cgroups = "disabled"
cgroupns = "host"
netns = "none"
default_ulimits = ["nofile=${files}:${files}", "nproc=${processes}:${processes}"]
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
crun = ["${crun}"]
`;
}
