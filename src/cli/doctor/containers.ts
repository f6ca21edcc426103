/** What can be told of a container, a namespace or a directory before it is entered, in the words of its own tool. */
import type { ContainerOptions, KubectlOptions, MachineOptions, NsenterOptions } from '../../index.ts';
import { type Fact, fact, firstLine, lastLine, listed, type Place, type Ran, run } from './facts.ts';
import { examinePaths } from './functions.ts';

type Options = ContainerOptions & Partial<KubectlOptions> & Partial<MachineOptions> & NsenterOptions & { root?: string };

/** How a tool is asked. */
interface Tool {
  program: string;
  version: readonly string[];
  /** Prints the state of a container. */
  state(options: Options): string[];
  /** Finds the state in what it printed; the last word by default. */
  pattern?: RegExp;
  /** What a state looks like in which it can be entered. */
  isUp: RegExp;
  /** Enters a container that runs, to look for a shell and Node. */
  enter?(options: Options): string[];
}

const inspected = (program: string): Tool => ({
  program,
  version: ['--version'],
  state: ({ container = '' }) => ['container', 'inspect', '--format', '{{.State.Status}}', container],
  isUp: /^running$/,
  enter: ({ container = '' }) => ['exec', container],
});

const informed = (program: string): Tool => ({
  program,
  version: ['--version'],
  state: ({ container = '' }) => ['info', container],
  pattern: /^Status: *(\S+)/m,
  isUp: /^running$/i,
  enter: ({ container = '' }) => ['exec', container, '--'],
});

const TOOLS: Readonly<Record<string, Tool>> = {
  docker: inspected('docker'),
  podman: inspected('podman'),
  nerdctl: inspected('nerdctl'),
  buildah: {
    program: 'buildah',
    version: ['--version'],
    state: ({ container = '' }) => ['inspect', '--format', '{{.Container}}', container],
    isUp: /./,
    enter: ({ container = '' }) => ['run', container, '--'],
  },
  kubectl: {
    program: 'kubectl',
    version: ['version', '--client'],
    state: ({ pod = '', ...options }) => [...clusterOf(options), 'get', 'pod', pod, '--output', 'jsonpath={.status.phase}'],
    isUp: /^Running$/,
    enter: ({ pod = '', containerName, ...options }) => [
      ...clusterOf(options),
      'exec',
      pod,
      ...(containerName === undefined ? [] : ['-c', containerName]),
      '--',
    ],
  },
  lxc: {
    program: 'lxc-info',
    version: ['--version'],
    state: ({ container = '' }) => ['--name', container, '--state'],
    pattern: /^State: *(\S+)/m,
    isUp: /^RUNNING$/,
  },
  lxd: informed('lxc'),
  incus: informed('incus'),
  jail: { program: 'jls', version: ['-v'], state: ({ container = '' }) => ['-j', container, 'name'], isUp: /./ },
  machinectl: {
    program: 'machinectl',
    version: ['--version'],
    state: ({ container = '' }) => ['show', container, '--property=State'],
    pattern: /^State=(\S+)/m,
    isUp: /^running$/,
  },
};

function clusterOf({ kubeconfig, namespace }: Partial<KubectlOptions>): string[] {
  return [
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
    ...(namespace === undefined ? [] : ['--namespace', namespace]),
  ];
}

/** Whether there is something to examine for a method. */
export function isContainerMethod(method: string): boolean {
  return method in TOOLS || method === 'nsenter' || method === 'chroot';
}

/** Examines a step into a container, from the place that takes it. */
export async function examineContainer(place: Place, method: string, options: Options): Promise<Fact[]> {
  if (method === 'chroot') return examineRoot(place, options.root as string);
  if (method === 'nsenter') return examineNamespaces(place, options);
  return examineTool(place, TOOLS[method] as Tool, method, options);
}

async function examineTool(place: Place, tool: Tool, method: string, options: Options): Promise<Fact[]> {
  // lxc and jail have several programs, and the option is for another one.
  const program = method === 'lxc' || method === 'jail' ? tool.program : (options.path ?? tool.program);
  const version = await run(place, [program, ...tool.version]);
  if (version.exitCode === 127)
    return [fact('failed', method, `there is no program ${program} here`, { hint: `install ${method}, or name it with ?path=PATH` })];
  const found = fact('ok', method, firstLine(version.stdout || version.stderr) || program);
  if (options.image !== undefined)
    return [found, fact('note', 'image', `a container of ${options.image} will be started, and removed at the end`)];
  const told = await run(place, [program, ...tool.state(options)]);
  const name = options.container ?? options.pod;
  if (told.exitCode !== 0) {
    const said = lastLine(told.stderr) || lastLine(told.stdout) || told.problem || `exit code ${told.exitCode}`;
    return [
      found,
      fact('failed', 'state', `${name}: ${said}`, {
        hint: `check the name; ${program} may need other rights, or another user's containers`,
      }),
    ];
  }
  const state = (tool.pattern ? tool.pattern.exec(told.stdout)?.[1] : undefined) ?? lastLine(told.stdout);
  if (!tool.isUp.test(state)) return [found, fact('failed', 'state', `${name} is ${state}`, { hint: 'start it first', data: { state } })];
  const up = fact('ok', 'state', `${name} is ${state}`, { data: { state } });
  return tool.enter
    ? [found, up, inside(await run(place, [program, ...tool.enter(options), 'sh', '-c', 'command -v node nodejs; :']))]
    : [found, up];
}

function inside({ exitCode, stdout, stderr, problem }: Ran): Fact {
  if (exitCode === 0) return fact('ok', 'inside', `sh, ${stdout.trim() ? `and Node at ${firstLine(stdout)}` : 'and no Node in the PATH'}`);
  return fact('failed', 'inside', lastLine(stderr) || problem || `sh exited with code ${exitCode}`, {
    hint: 'the image needs sh and Node',
  });
}

async function examineNamespaces(place: Place, { pid, path = 'nsenter' }: Options): Promise<Fact[]> {
  const [version, listing] = await Promise.all([
    run(place, [path, '--version']),
    pid === undefined ? undefined : run(place, ['sh', '-c', 'ls /proc/$1/ns; readlink /proc/$1/exe', 'sh', String(pid)]),
  ]);
  if (version.exitCode === 127)
    return [fact('failed', 'nsenter', `there is no program ${path} here`, { hint: 'install util-linux, or name it with ?path=PATH' })];
  const facts = [fact('ok', 'nsenter', firstLine(version.stdout || version.stderr))];
  if (listing?.exitCode === 0) facts.push(fact('ok', 'process', `${pid} is ${lastLine(listing.stdout)}`));
  else if (listing)
    facts.push(
      fact('failed', 'process', `${pid}: ${lastLine(listing.stderr) || 'cannot be looked at'}`, {
        hint: 'check the pid; joining namespaces needs root',
      }),
    );
  return facts;
}

async function examineRoot(place: Place, root: string): Promise<Fact[]> {
  const paths = [root, `${root}/bin/sh`];
  const [directory, shell] = await place.with({ timeoutMs: 5000 }).call(examinePaths, paths);
  if (directory?.kind !== 'directory') return [fact('failed', 'root', `${root} is no directory`, { hint: 'check the path' })];
  if (shell?.kind === 'none')
    return [fact('failed', 'root', `${root} has no /bin/sh`, { hint: `it needs sh, Node and their libraries: ${listed(paths)}` })];
  return [fact('ok', 'root', `${root} has /bin/sh`)];
}
