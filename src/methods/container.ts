/** Containers that a program of their own leads into. To add one: what goes in front of the first stage; see `docs/new-method.md`. */
import type { Method } from '../parent/connector.ts';
import { startProcess } from '../parent/start.ts';

/** Options of the methods here, checked by the API. */
interface Options {
  container: string;
  image?: string;
  username?: string;
  path?: string;
  pod: string;
  namespace?: string;
  containerName?: string;
  kubeconfig?: string;
  kubectlArgs?: readonly string[];
}

/**
 * A method that runs a program with the first stage as arguments. The program gets all of this environment, in which its
 * configuration is; so it must be one that does not hand it on.
 *
 * @param words What leads into one: a prefix for a command.
 */
function container(program: string, words: (options: Options, program: string) => readonly string[]): Method {
  return {
    start(order, config, hop) {
      const options = order.options as unknown as Options;
      return startProcess(order, config, hop, { prefix: words(options, options.path || program), env: process.env });
    },
  };
}

/** An option, if it has a value. */
function flag(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${name}=${value}`];
}

/** Becomes a user inside, by name, where the program itself takes none. */
function su(username: string | undefined): string[] {
  return username === undefined ? [] : ['su', '-s', '/bin/sh', '-c', 'exec "$0" "$@"', '--', username];
}

/** Where `sh` is the entrypoint already: its arguments, to run what follows. */
const SECOND = ['-c', '"$@";exit $?', 'mitos'];

const engine = (program: string): Method =>
  container(program, ({ container: name, image, username }, path) => {
    const user = flag('--user', username);
    return image === undefined
      ? [path, 'exec', '--interactive', ...user, '--', name]
      : [path, 'run', '--rm', '--interactive', ...user, '--entrypoint=sh', '--', image, ...SECOND];
  });

export const docker: Method = engine('docker');
export const podman: Method = engine('podman');
export const nerdctl: Method = engine('nerdctl');

/**
 * Makes a working container of the image `$2` and runs the rest in it. It is removed from a session of its own, which sees the
 * end of a pipe, so that a kill of everything here does not keep it.
 */
const FROM_IMAGE =
  'b=$1 u=$3;c=$("$b" from -- "$2")||exit;shift 3;exec 4>&1;{ "$b" run ${u:+"--user=$u"} -- "$c" "$@" >&4 4>&-;echo $?;}|' +
  'setsid sh -c \'exec 4>&-;read s;"$0" rm -- "$1">/dev/null 2>&1;exit ${s:-1}\' "$b" "$c"';

export const buildah: Method = container('buildah', ({ container: name, image, username }, path) =>
  image === undefined
    ? [path, 'run', ...flag('--user', username), '--', name]
    : ['sh', '-c', FROM_IMAGE, 'sh', path, image, username || ''],
);

export const kubectl: Method = container('kubectl', (options, path) => [
  path,
  'exec',
  '--stdin',
  ...flag('--kubeconfig', options.kubeconfig),
  ...flag('--namespace', options.namespace),
  ...flag('--container', options.containerName),
  ...(options.kubectlArgs || []),
  options.pod,
  '--',
]);

export const lxc: Method = container('lxc-attach', ({ container: name, username }, path) => [
  path,
  '--clear-env',
  `--name=${name}`,
  '--',
  ...su(username),
]);

const instance = (program: string): Method =>
  container(program, ({ container: name, username }, path) => [path, 'exec', '--force-noninteractive', name, '--', ...su(username)]);

export const lxd: Method = instance('lxc');
export const incus: Method = instance('incus');

export const jail: Method = container('jexec', ({ container: name, username }, path) => [
  path,
  '-l',
  ...(username === undefined ? [] : ['-U', username]),
  name,
]);

/** systemd-run takes `$` for variables, and `$$` for it. */
const ESCAPED =
  'p=$1 m=$2 u=$3;shift 3;for a do shift;set -- "$@" "$(printf %s "$a"|sed "s/[$]/&&/g")";done;' +
  'exec "$p" --quiet --pipe --wait --collect "--machine=$m" ${u:+"--uid=$u"} -- "$@"';

/** `machinectl shell` needs a terminal; systemd-run asks the machine's systemd for the same with pipes. */
export const machinectl: Method = container('systemd-run', ({ container: name, username }, path) => [
  'sh',
  '-c',
  ESCAPED,
  'sh',
  path,
  name,
  username || '',
]);
