/** Chains of connections written down: as objects, or as a text like `ssh://deploy@bastion:22,ssh://10.0.0.4,sudo:root`. */
import { checkOptions, isMethod, optionsOf } from './check-options.ts';
import type { ContainerKind, MethodName, MethodOptions } from './method-options.ts';
import type { ConnectOptions } from './options.ts';

/** One step: the name of a connection method, and its options. */
export type Step = { [M in MethodName]: { method: M } & MethodOptions[M] }[MethodName];

/** Where to connect to: a text (see {@link parseSpec}), a step, or several steps one through the other. */
export type Spec = string | Step | readonly Step[];

/** A step that has been checked. */
export interface CheckedStep {
  method: MethodName;
  options: ConnectOptions;
}

/** The steps of a spec, checked: throws a TypeError for what cannot be. */
export function stepsOf(spec: Spec): CheckedStep[] {
  const steps = typeof spec === 'string' ? parseSpec(spec) : ((Array.isArray(spec) ? spec : [spec]) as Step[]);
  if (!steps.length) throw new TypeError('A spec needs at least one step');
  return steps.map((step) => {
    if (typeof step !== 'object' || step === null) throw new TypeError('A step is an object with a method and its options');
    const { method, ...options } = step;
    if (!isMethod(method)) throw new TypeError(`There is no connection method "${String(method)}"`);
    return { method, options: checkOptions(method, options) };
  });
}

/**
 * Reads a chain of steps, separated by commas. A step is a method, or a method and what it leads to:
 *
 * - `ssh://user@host:port`, or `user@host:port` alone; IPv6 addresses in brackets
 * - `sudo:user`, and the same for `su`, `doas`, `run0` and `runuser`; without a user it is root
 * - `docker:user@container`, and the same for the other kinds of containers
 * - `kubectl:namespace/pod/container`, of which the pod is needed
 * - `nsenter:pid` or `nsenter:docker/container`, `chroot:/path`, `local`, `worker`
 *
 * Further options follow as `?threadless=true&connectTimeoutMs=5000`. What has a special meaning is written with `%`, as in URLs.
 * A password is refused: texts like this end up in shell histories and process lists. What cannot be is a TypeError.
 */
export function parseSpec(text: string): Step[] {
  return text.split(',').map((part) => {
    const [target, query] = cut(part.trim(), '?');
    const [head, tail] = cut(target, ':');
    const method = isMethod(head) ? head : 'ssh';
    const rest = isMethod(head) ? (tail ?? '').replace(/^\/\//, '') : target;
    if (!target) throw new TypeError(`There is an empty step in ${JSON.stringify(text)}`);
    const options = { ...(rest ? READERS[method](rest) : {}), ...readQuery(method, query) };
    checkOptions(method, options);
    return { method, ...options } as unknown as Step;
  });
}

type Options = Record<string, unknown>;

const decode = decodeURIComponent;

const readUser = (rest: string): Options => ({ username: decode(rest) });

const readMachine = (rest: string): Options => {
  const [user, container] = cutLast(rest, '@');
  return { ...(user === undefined ? {} : { username: decode(user) }), container: decode(container) };
};

const readNothing = (rest: string): Options => {
  throw new TypeError(`Nothing can follow here: ${JSON.stringify(rest)}`);
};

const READERS: Record<MethodName, (rest: string) => Options> = {
  local: readNothing,
  worker: readNothing,
  ssh: readHost,
  sudo: readUser,
  su: readUser,
  doas: readUser,
  run0: readUser,
  runuser: readUser,
  docker: readMachine,
  podman: readMachine,
  buildah: readMachine,
  nerdctl: readMachine,
  kubectl: readPod,
  lxc: readMachine,
  lxd: readMachine,
  incus: readMachine,
  jail: readMachine,
  machinectl: readMachine,
  nsenter: (rest) => {
    const [kind, container] = cut(rest, '/');
    return container === undefined ? { pid: Number(kind) } : { kind: kind as ContainerKind, container: decode(container) };
  },
  chroot: (rest) => ({ root: decode(rest) }),
  command: () => {
    throw new TypeError('command() needs an argument list: give this step as an object');
  },
};

function readHost(rest: string): Options {
  const [user, place] = cutLast(rest.replace(/\/$/, ''), '@');
  if (user?.includes(':')) throw new TypeError('A password does not belong in a spec, where others can see it: give the step as an object');
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(place);
  if (!match) throw new TypeError(`${JSON.stringify(place)} is not a host, nor a host and a port`);
  const [, address, host, port] = match;
  return {
    ...(user === undefined ? {} : { username: decode(user) }),
    hostname: decode(address ?? host ?? ''),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
}

function readPod(rest: string): Options {
  const parts = rest.split('/').map((part) => decode(part));
  if (parts.length === 1) return { pod: parts[0] };
  const [namespace, pod, containerName] = parts;
  return { namespace, pod, ...(containerName === undefined ? {} : { containerName }) };
}

function readQuery(method: MethodName, query: string | undefined): Options {
  const options: Options = {};
  const known = optionsOf(method);
  for (const pair of query ? query.split('&') : []) {
    const [key, value] = cut(pair, '=').map((item) => item && decode(item)) as [string, string | undefined];
    if (/^pass(word|phrase)$/.test(key))
      throw new TypeError(`${key} does not belong in a spec, where others can see it: give the step as an object`);
    const test = known[key];
    if (!test) throw new TypeError(`${method}() has no option "${key}"`);
    const readings = [value ?? true, value === 'true' ? true : value === 'false' ? false : Number(value), value?.split(' ')];
    options[key] = readings.find((reading) => reading !== undefined && !test(reading)) ?? value;
  }
  return options;
}

/** What is before and behind the first separator. */
function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** What is before and behind the last separator. */
function cutLast(text: string, separator: string): [string | undefined, string] {
  const at = text.lastIndexOf(separator);
  return at < 0 ? [undefined, text] : [text.slice(0, at), text.slice(at + separator.length)];
}
