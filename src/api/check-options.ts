/** Refuses options of connection methods that make no sense, before anything is sent. */
import { isName } from '../core/name-rule.ts';
import { Secret } from '../core/secret.ts';
import type { MethodName } from './method-options.ts';
import type { ConnectOptions } from './options.ts';

/** What is wrong with a value, as the end of a sentence; undefined if nothing is. */
type Check = (value: unknown) => string | undefined;

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '' && !value.includes('\0');
const check =
  (test: (value: unknown) => boolean, wanted: string): Check =>
  (value) =>
    test(value) ? undefined : `must be ${wanted}`;
const oneOf = (...words: string[]): Check =>
  check((value) => words.includes(value as string), words.map((word) => `'${word}'`).join(' or '));

const flag = check((value) => typeof value === 'boolean', 'true or false');
const text = check(isText, 'a text');
const whole = (from: number, to: number): Check =>
  check((value) => Number.isInteger(value) && (value as number) >= from && (value as number) <= to, `a whole number from ${from} to ${to}`);
const ms = check((value) => typeof value === 'number' && value > 0, 'a number of milliseconds above 0');
const texts = check((value) => Array.isArray(value) && value.every(isText), 'a list of texts');
const command = check(
  (value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  'a path or a list of arguments',
);
const secret = check((value) => Secret.is(value) || typeof value === 'string', 'a Secret');
const environment = check(
  (value) => typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string'),
  'an object of strings',
);
const prompts = check(
  (value) => Array.isArray(value) && value.every((item) => isText(item?.expect) && secret(item?.send) === undefined),
  'a list of { expect, send }',
);

const name = check(isName, 'a name that does not begin with "-" and has no blanks or control characters');
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const isPath = (value: unknown): boolean => typeof value === 'string' && /^[^-\0-\x1f\x7f][^\0-\x1f\x7f]*$/.test(value);
const path = check(isPath, 'a path that does not begin with "-"');
const paths = check((value) => isPath(value) || (Array.isArray(value) && value.every(isPath)), 'a path or a list of paths');
const context = check((value) => typeof value === 'object' && value !== null && 'via' in value && 'id' in value, 'a Context');

/** Of a context's own name only control characters are refused. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const label = check((value) => typeof value === 'string' && /^[^\0-\x1f\x7f]+$/.test(value), 'a text without control characters');

const COMMON: Record<string, Check> = {
  name: label,
  remoteName: label,
  node: command,
  connectTimeoutMs: ms,
  runtime: oneOf('auto', 'never', 'push', 'look'),
  threadless: flag,
  keepAlive: check((value) => typeof value === 'object' && value !== null, 'an object'),
  env: environment,
  cwd: text,
  addons: oneOf('refuse', 'ram'),
};

const SWITCH: Record<string, Check> = { username: name, password: secret, path };
const CONTAINER: Record<string, Check> = { container: name, image: name, username: name, path };
const MACHINE: Record<string, Check> = { 'container!': name, username: name, path };

/** What each method takes beside; `!` marks what it cannot do without. */
const METHODS: Record<MethodName, Record<string, Check>> = {
  local: {},
  worker: {},
  ssh: {
    'hostname!': name,
    port: whole(1, 65535),
    username: name,
    identityFile: paths,
    identitiesOnly: flag,
    password: secret,
    passphrase: secret,
    hostKeys: oneOf('enforce', 'accept-new', 'ignore'),
    knownHosts: paths,
    sshPath: path,
    sshArgs: texts,
    configFile: path,
    compression: flag,
    debugLevel: whole(0, 3),
    retries: whole(0, 1000),
    transport: oneOf('openssh', 'in-process'),
    through: context,
  },
  sudo: {
    username: name,
    password: secret,
    sudoPath: path,
    preserveEnv: check(
      (value) => typeof value === 'boolean' || (Array.isArray(value) && value.every(isName)),
      'true, false or a list of names',
    ),
    setHome: flag,
    login: flag,
    selinuxRole: name,
    selinuxType: name,
    sudoArgs: texts,
  },
  su: SWITCH,
  doas: SWITCH,
  run0: SWITCH,
  runuser: SWITCH,
  docker: CONTAINER,
  podman: CONTAINER,
  buildah: CONTAINER,
  nerdctl: CONTAINER,
  kubectl: { 'pod!': name, namespace: name, containerName: name, kubeconfig: path, kubectlArgs: texts, path },
  lxc: MACHINE,
  lxd: MACHINE,
  incus: MACHINE,
  jail: MACHINE,
  machinectl: MACHINE,
  nsenter: {
    pid: whole(1, 2 ** 31),
    container: name,
    kind: oneOf('docker', 'podman', 'lxc', 'lxd', 'incus', 'machinectl'),
    path,
  },
  chroot: { 'root!': path, username: name, path },
  command: {
    'argv!': check((value) => Array.isArray(value) && value.length > 0 && value.every(isText), 'a list of arguments'),
    asWord: flag,
    prompts,
    terminal: flag,
  },
};

/** Pairs of which exactly one has to be given. */
const EITHER: Partial<Record<MethodName, readonly [string, string]>> = {
  docker: ['container', 'image'],
  podman: ['container', 'image'],
  buildah: ['container', 'image'],
  nerdctl: ['container', 'image'],
  nsenter: ['pid', 'container'],
};

/** Whether there is a connection method of that name. */
export function isMethod(method: unknown): method is MethodName {
  return typeof method === 'string' && Object.prototype.hasOwnProperty.call(METHODS, method);
}

/** The options that a method takes, with what each is checked by. */
export function optionsOf(method: MethodName): Record<string, Check> {
  const own = Object.entries(METHODS[method]).map(([key, test]): [string, Check] => [key.replace('!', ''), test]);
  return Object.assign({}, COMMON, ...own.map(([key, test]) => ({ [key]: test })));
}

/** Throws a TypeError (a RangeError for a number out of bounds) for what `method` does not take. Gives a copy in which passwords are secrets, so that none of them shows itself. */
export function checkOptions(method: string, options: ConnectOptions): ConnectOptions {
  if (!isMethod(method)) throw new TypeError(`There is no connection method "${method}"`);
  if (typeof options !== 'object' || options === null) throw new TypeError(`The options of ${method}() must be an object`);
  const known = optionsOf(method);
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const test = Object.prototype.hasOwnProperty.call(known, key) ? known[key] : undefined;
    if (!test) throw new TypeError(`${method}() has no option "${key}"`);
    const wrong = test(value);
    if (wrong) {
      const Refusal = test === ms || (typeof value === 'number' && wrong.includes('number')) ? RangeError : TypeError;
      throw new Refusal(`${key} of ${method}() ${wrong}${test === secret || test === prompts ? '' : `, not ${show(value)}`}`);
    }
    given[key] = test === secret ? asSecret(value) : test === prompts ? withSecrets(value) : value;
  }
  for (const key of Object.keys(METHODS[method])) {
    if (key.endsWith('!') && !(key.slice(0, -1) in given)) throw new TypeError(`${method}() needs the option ${key.slice(0, -1)}`);
  }
  checkTogether(method, given);
  return given;
}

function checkTogether(method: MethodName, given: Record<string, unknown>): void {
  const either = EITHER[method];
  if (either && either[0] in given === either[1] in given)
    throw new TypeError(`${method}() needs one of the options ${either.join(' and ')}`);
  if (method === 'nsenter' && 'container' in given && !('kind' in given))
    throw new TypeError('nsenter() needs the option kind beside container');
  if (method === 'ssh' && 'through' in given && given['transport'] !== 'in-process')
    throw new TypeError("through of ssh() needs transport: 'in-process'; without it, connect from that context: through.ssh({ … })");
}

function show(value: unknown): string {
  const shown = JSON.stringify(value);
  return shown === undefined ? String(value) : shown.length > 100 ? `${shown.slice(0, 100)}…` : shown;
}

function asSecret(value: unknown): Secret {
  return Secret.is(value) ? value : new Secret(value as string);
}

function withSecrets(value: unknown): unknown {
  return (value as { expect: string; send: unknown }[]).map(({ expect, send }) => ({ expect, send: asSecret(send) }));
}
