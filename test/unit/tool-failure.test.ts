/** What methods for containers and namespaces read out of the failures of their programs. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { EXPLAIN } from '#src/methods/failures.js';

const MISSING = 'NO_CONTAINER no such container';
const IDLE = 'NO_CONTAINER the container does not run';
const NO_SHELL = 'NO_RUNTIME there is no sh in it';
const DEAF = 'TRANSPORT_EXIT its server does not answer';
const DENIED = 'AUTH not allowed';
const NO_IMAGE = 'NO_CONTAINER no such image';
const NO_USER = 'AUTH no such user there';

/** What tools print and return: as seen with docker, podman, buildah, lxc-attach, nsenter, chroot and kubectl; for the others as it is remembered. */
const FAILURES: [string, number, string, string][] = [
  ['docker', 1, 'Error response from daemon: No such container: nope', MISSING],
  ['docker', 1, 'Error response from daemon: container 0a1b is not running', IDLE],
  ['docker', 1, 'Error response from daemon: Container web is paused, unpause the container before exec', IDLE],
  [
    'docker',
    127,
    'OCI runtime exec failed: exec failed: unable to start container process: exec: "sh": executable file not found in $PATH: unknown',
    NO_SHELL,
  ],
  [
    'docker',
    126,
    'OCI runtime exec failed: exec failed: unable to start container process: exec: "sh": permission denied: unknown',
    NO_SHELL,
  ],
  ['docker', 126, 'unable to find user bob: no matching entries in passwd file', NO_USER],
  ['docker', 1, 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?', DEAF],
  [
    'docker',
    1,
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: dial unix: connect: permission denied',
    DENIED,
  ],
  [
    'docker',
    125,
    "Unable to find image 'nope:latest' locally\ndocker: Error response from daemon: pull access denied for nope, repository does not exist",
    NO_IMAGE,
  ],
  ['podman', 125, 'Error: no container with name or ID "nope" found: no such container', MISSING],
  ['podman', 255, 'Error: can only create exec sessions on running containers: container state improper', IDLE],
  [
    'podman',
    127,
    'Error: crun: executable file `sh` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found',
    NO_SHELL,
  ],
  ['podman', 125, 'Error: short-name "nope" did not resolve to an alias and no unqualified-search registries are defined', NO_IMAGE],
  [
    'podman',
    125,
    'Cannot connect to Podman. Please verify your connection to the Linux system using `podman system connection list`',
    DEAF,
  ],
  ['buildah', 125, 'Error: reading build container "nope": container not known', MISSING],
  [
    'buildah',
    1,
    'error running container: creating container for [sh]: executable file `sh` not found in $PATH: No such file or directory',
    NO_SHELL,
  ],
  ['buildah', 125, 'Error: determining run uid: user: unknown user error looking up user "bob"', NO_USER],
  ['nerdctl', 1, 'time="2024-01-01T00:00:00Z" level=fatal msg="no such container: nope"', MISSING],
  ['nerdctl', 1, 'FATA[0000] cannot exec in a stopped container', IDLE],
  ['nerdctl', 1, 'FATA[0000] rootless containerd not running? (hint: use `containerd-rootless-setuptool.sh install`)', DEAF],
  ['nerdctl', 1, 'FATA[0000] cannot access containerd socket "/run/containerd/containerd.sock": no such file or directory', DEAF],
  ['kubectl', 1, 'Error from server (NotFound): pods "web" not found', MISSING],
  ['kubectl', 1, 'Error from server (BadRequest): container nope is not valid for pod web', MISSING],
  ['kubectl', 1, 'error: unable to upgrade connection: container not found ("web")', MISSING],
  ['kubectl', 1, 'error: cannot exec into a container in a completed pod; current phase is Succeeded', IDLE],
  [
    'kubectl',
    1,
    'Error from server (Forbidden): pods "web" is forbidden: User "bob" cannot create resource "pods/exec" in API group ""',
    DENIED,
  ],
  ['kubectl', 1, 'error: You must be logged in to the server (Unauthorized)', DENIED],
  ['kubectl', 1, 'The connection to the server localhost:8080 was refused - did you specify the right host or port?', DEAF],
  ['kubectl', 1, 'Unable to connect to the server: dial tcp: lookup nope on 127.0.0.53:53: no such host', DEAF],
  [
    'kubectl',
    1,
    'error: Internal error occurred: failed to exec in container: OCI runtime exec failed: exec: "sh": executable file not found in $PATH: unknown',
    NO_SHELL,
  ],
  [
    'lxc',
    1,
    'lxc-attach: nope: ../src/lxc/attach.c: get_attach_context: 406 Connection refused - Failed to get init pid',
    'NO_CONTAINER no such container, or it does not run',
  ],
  ['lxc', 1, 'lxc-attach: web: ../src/lxc/tools/lxc_attach.c: main: 302 You lack access to /root/.local/share/lxc', DENIED],
  [
    'lxc',
    127,
    'lxc-attach: web: ../src/lxc/attach.c: lxc_attach_run_command: 1841 No such file or directory - Failed to exec "sh"',
    NO_SHELL,
  ],
  ['lxc', 1, 'su: user bob does not exist or the user entry does not contain all the required fields', NO_USER],
  ['lxd', 1, 'Error: Instance not found', MISSING],
  ['lxd', 1, 'Error: not found', MISSING],
  ['lxd', 1, 'Error: Instance is not running', IDLE],
  ['lxd', 1, 'Error: Get "http://unix.socket/1.0": dial unix /var/snap/lxd/common/lxd/unix.socket: connect: permission denied', DENIED],
  [
    'lxd',
    1,
    'Error: Get "http://unix.socket/1.0": dial unix /var/snap/lxd/common/lxd/unix.socket: connect: no such file or directory',
    DEAF,
  ],
  ['lxd', 127, 'Error: Command not found', NO_SHELL],
  ['incus', 1, 'Error: Failed to fetch instance "nope" in project "default": Instance not found', MISSING],
  [
    'incus',
    1,
    "Error: You don't have the needed permissions to talk to the incus daemon (socket path: /var/lib/incus/unix.socket)",
    DENIED,
  ],
  ['incus', 1, "Error: The incus daemon doesn't appear to be started (socket path: /var/lib/incus/unix.socket)", DEAF],
  ['jail', 1, 'jexec: jail "nope" not found', MISSING],
  ['jail', 1, 'jexec: bob: no such user', NO_USER],
  ['jail', 1, 'jexec: jail_attach(1): Operation not permitted', DENIED],
  ['jail', 1, 'jexec: execvp(): sh: No such file or directory', NO_SHELL],
  ['machinectl', 1, 'Failed to connect to bus: Host is down', MISSING],
  ['machinectl', 203, '', NO_SHELL],
  ['machinectl', 217, '', NO_USER],
  ['nsenter', 1, "nsenter: reassociate to namespace 'ns/mnt' failed: Operation not permitted", DENIED],
  ['nsenter', 125, "nope doesn't exist", MISSING],
  ['nsenter', 122, '', 'NO_CONTAINER no such process'],
  ['chroot', 125, "chroot: cannot change root directory to '/srv': Operation not permitted", DENIED],
  ['chroot', 125, 'chroot: kann das Wurzelverzeichnis nicht wechseln', 'NO_CONTAINER that directory cannot become the root'],
  ['chroot', 125, 'chroot: invalid user', NO_USER],
  ['chroot', 127, "chroot: failed to run command 'sh': No such file or directory", NO_SHELL],
  ['chroot', 127, 'chroot: kann den Befehl nicht finden', 'NO_RUNTIME there is no sh in it, or Node cannot be run'],
];

const progress = (stage: string, text: string): never => ({ stage, lines: text.split('\n') }) as never;

for (const [method, exitCode, text, expected] of FAILURES) {
  test(`${method} with ${exitCode} and "${text.slice(0, 90)}" is ${expected}`, () => {
    const explain = EXPLAIN[method];
    const failure = explain?.(progress('start', text), { exitCode, signal: null });
    assert.equal(`${failure?.code} ${failure?.message}`, `ERR_MITOS_${expected}`);
    assert.ok(failure?.hint);
  });
}

test('What is no failure of the tool is left to others: a time-out, an unknown text, a first stage that has spoken', () => {
  const explain = EXPLAIN['docker'];
  assert.equal(explain?.(progress('start', 'Unable to find image locally'), { exitCode: null, signal: null }), undefined);
  assert.equal(explain?.(progress('start', 'something else'), { exitCode: 1, signal: null }), undefined);
  assert.equal(explain?.(progress('node', 'No such container'), { exitCode: 127, signal: null }), undefined);
  const error = Object.assign(new Error('spawn docker ENOENT'), { code: 'ENOENT', path: 'docker' });
  assert.match(String(explain?.(progress('start', ''), { exitCode: null, signal: null, error })?.message), /no program "docker" here/);
});
