/** Other views of this machine: the namespaces of a process, another root directory. */
import type { Method } from '../parent/connector.ts';
import { inheritedEnvironment } from '../parent/environment.ts';
import { shellWord } from '../parent/quote.ts';
import { startProcess } from '../parent/start.ts';

/** Options of the methods here, checked by the API. */
interface Options {
  pid?: number;
  container: string;
  kind: string;
  root: string;
  username?: string;
  path?: string;
}

/** What names a place of the outside. */
const OUTSIDE = /^(TMPDIR|DISPLAY|SSH_\w+|XDG_\w+|NVM_\w+|VOLTA_\w+)$/;
const OF_USER = /^(HOME|USER|LOGNAME|SHELL)$/;
/** Where programs are if the PATH of the outside does not lead to them. */
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The environment for inside. */
function insideEnvironment(username?: string): NodeJS.ProcessEnv {
  const env = inheritedEnvironment(process.env);
  for (const name of Object.keys(env)) if (OUTSIDE.test(name) || (username && OF_USER.test(name))) delete env[name];
  env['PATH'] = env['PATH'] ? `${env['PATH']}:${USUAL_PATH}` : USUAL_PATH;
  return env;
}

const inspect = (program: string, name: string): string => `${program} container inspect -f '{{.State.Pid}}' -- ${name}`;
const info = (program: string, name: string): string => `${program} info -- ${name}|sed -n 's/^ *P[iI][dD]: *//p'`;

/** Commands that print the id of a container's first process. */
const LEADERS: Readonly<Record<string, (name: string) => string>> = {
  docker: (name) => inspect('docker', name),
  podman: (name) => inspect('podman', name),
  lxc: (name) => `lxc-info -pHn ${name}`,
  lxd: (name) => info('lxc', name),
  incus: (name) => info('incus', name),
  machinectl: (name) => `machinectl show -p Leader --value -- ${name}`,
};

/** Where those programs are configured; it is for them alone. */
const FOR_LEADERS = /^(DOCKER|CONTAINERS?|LXD|INCUS)_\w+$/;

/** Own user ids mean nothing in another user namespace; and one's own cannot be joined. */
const JOIN = '[ -d /proc/$p ]||exit 122;[ -e /proc/$p/ns/mnt ]||exit 123;u=;[ /proc/$p/ns/user -ef /proc/self/ns/user ]||u="-U -S 0 -G 0";';

export const nsenter: Method = {
  start(order, config, hop) {
    const { pid, container, kind, path = 'nsenter' } = order.options as unknown as Options;
    const leader = pid === undefined ? (LEADERS[kind] as (name: string) => string)(shellWord(container)) : `echo ${Number(pid)}`;
    const env = insideEnvironment();
    const names = pid === undefined ? Object.keys(process.env).filter((name) => FOR_LEADERS.test(name)) : [];
    for (const name of names) env[name] = process.env[name];
    const program = shellWord(path);
    const script =
      `for c in ${program} ${leader.split(' ')[0]};do command -v "$c">/dev/null||exit 121;done;p=$(${leader});` +
      `[ "$p" -gt 0 ] 2>/dev/null||exit 125;${JOIN}${names.length ? `unset ${names.join(' ')};` : ''}` +
      `exec ${program} -t $p -m -u -i -n -p $u -r -- "$@"`;
    return startProcess(order, config, hop, { prefix: ['sh', '-c', script, 'sh'], env, passesDescriptors: true });
  },
};

export const chroot: Method = {
  start(order, config, hop) {
    const { root, username, path = 'chroot' } = order.options as unknown as Options;
    const user = username === undefined ? [] : [`--userspec=${username}`];
    return startProcess(order, config, hop, { prefix: [path, ...user, root], env: insideEnvironment(username), passesDescriptors: true });
  },
};
