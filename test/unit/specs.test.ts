/** Chains of connections as texts and as objects: what they mean, and what is refused before anything is sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Router, Secret } from 'mitos';
import { checkOptions } from '#src/api/check-options.js';
import { parseSpec, stepsOf } from '#src/api/specs.js';

const MEANINGS: readonly [string, object[]][] = [
  ['ssh://deploy@bastion:2222', [{ method: 'ssh', username: 'deploy', hostname: 'bastion', port: 2222 }]],
  ['ssh:bastion', [{ method: 'ssh', hostname: 'bastion' }]],
  ['web1', [{ method: 'ssh', hostname: 'web1' }]],
  ['deploy@web1:22', [{ method: 'ssh', username: 'deploy', hostname: 'web1', port: 22 }]],
  ['ssh://[::1]:22', [{ method: 'ssh', hostname: '::1', port: 22 }]],
  ['ssh://me%40corp@host', [{ method: 'ssh', username: 'me@corp', hostname: 'host' }]],
  ['local', [{ method: 'local' }]],
  ['local?threadless=true&connectTimeoutMs=5000', [{ method: 'local', threadless: true, connectTimeoutMs: 5000 }]],
  ['sudo', [{ method: 'sudo' }]],
  ['sudo:postgres?login', [{ method: 'sudo', username: 'postgres', login: true }]],
  ['docker:app', [{ method: 'docker', container: 'app' }]],
  ['podman://web@app', [{ method: 'podman', username: 'web', container: 'app' }]],
  ['docker?image=node:20', [{ method: 'docker', image: 'node:20' }]],
  ['kubectl:api', [{ method: 'kubectl', pod: 'api' }]],
  ['kubectl:prod/api/main', [{ method: 'kubectl', namespace: 'prod', pod: 'api', containerName: 'main' }]],
  ['nsenter:1234', [{ method: 'nsenter', pid: 1234 }]],
  ['nsenter:lxc/box', [{ method: 'nsenter', kind: 'lxc', container: 'box' }]],
  ['chroot:/srv/root', [{ method: 'chroot', root: '/srv/root' }]],
  [
    'ssh:web?identityFile=/keys/a%2Cb&identitiesOnly=true',
    [{ method: 'ssh', hostname: 'web', identityFile: '/keys/a,b', identitiesOnly: true }],
  ],
  [
    'ssh://deploy@bastion:22, ssh://10.0.0.4,sudo:root,docker:app',
    [
      { method: 'ssh', username: 'deploy', hostname: 'bastion', port: 22 },
      { method: 'ssh', hostname: '10.0.0.4' },
      { method: 'sudo', username: 'root' },
      { method: 'docker', container: 'app' },
    ],
  ],
];

test('a spec in words means the same steps as objects', () => {
  for (const [text, steps] of MEANINGS) {
    assert.deepEqual(parseSpec(text), steps, text);
    assert.deepEqual(stepsOf(text), stepsOf(steps as never), text);
  }
});

const REFUSED: readonly [unknown, RegExp][] = [
  ['', /empty step/],
  ['ssh:a,,sudo', /empty step/],
  [[], /at least one step/],
  ['ssh:', /needs the option hostname/],
  ['ssh://root:secret@host', /password does not belong/],
  ['ssh:host?password=secret', /password does not belong/],
  ['ssh:-oProxyCommand=touch', /hostname of ssh\(\) must be a name/],
  ['ssh://-x@host', /username of ssh\(\) must be a name/],
  ['ssh:host?hostname=a%20b', /hostname of ssh\(\) must be a name/],
  ['ssh:host:99999', /port of ssh\(\) must be a whole number from 1 to 65535/],
  ['a:b:c', /not a host/],
  ['local:x', /Nothing can follow/],
  ['command:x', /argument list/],
  ['docker', /one of the options container and image/],
  ['docker:a?image=b', /one of the options container and image/],
  ['nsenter', /one of the options pid and container/],
  ['nsenter:shed/box', /kind of nsenter\(\) must be 'docker'/],
  ['sudo:root?colour=red', /sudo\(\) has no option "colour"/],
  [{ method: 'telnet' }, /no connection method "telnet"/],
  [{ method: '__proto__' }, /no connection method "__proto__"/],
  [{ method: 'ssh', hostname: 'a', constructor: 1 }, /no option "constructor"/],
  [{ method: 'ssh', hostname: 'a', through: {} }, /through of ssh\(\) must be a Context/],
  [[null], /A step is an object/],
  [{ method: 'command', argv: [] }, /argv of command\(\) must be a list of arguments/],
  [{ method: 'command', argv: ['x'], prompts: [{ expect: '' }] }, /prompts of command\(\) must be/],
];

test('a spec that makes no sense is refused at once, with the words to mend it', () => {
  for (const [spec, message] of REFUSED)
    assert.throws(() => stepsOf(spec as never), { name: /^(Type|Range)Error$/, message }, JSON.stringify(spec));
});

const NAMED: readonly [string, string, object][] = [
  ['ssh', 'hostname', {}],
  ['ssh', 'username', { hostname: 'h' }],
  ['sudo', 'username', {}],
  ['su', 'username', {}],
  ['doas', 'username', {}],
  ['docker', 'container', {}],
  ['docker', 'image', {}],
  ['kubectl', 'pod', {}],
  ['kubectl', 'namespace', { pod: 'p' }],
  ['lxc', 'container', {}],
  ['machinectl', 'username', { container: 'c' }],
];

test('no name can be taken for an option, or for two words', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => `-${text}`),
    fc
      .tuple(fc.string(), fc.constantFrom(' ', '\t', '\n', '\r', '\0', '\x1b', '\x7f', '\u2028'), fc.string())
      .map((parts) => parts.join('')),
    fc.constant(''),
  );
  fc.assert(
    fc.property(fc.constantFrom(...NAMED), hostile, ([method, key, others], value) => {
      assert.throws(() => checkOptions(method, { ...others, [key]: value } as never), TypeError);
    }),
    { numRuns: 5000 },
  );
});

test('an error about a wrong password shows nothing of it', () => {
  assert.throws(
    () => checkOptions('sudo', { password: 12345 } as never),
    (error: Error) => !error.message.includes('12345'),
  );
});

test('a password that is a plain text is a Secret from then on', () => {
  const { password } = checkOptions('sudo', { password: 'hunter2' } as never) as { password: unknown };
  assert.ok(Secret.is(password));
  assert.equal(password.reveal(), 'hunter2');
});

test('connect() refuses a wrong spec at once and leaves nothing behind', async () => {
  const router = new Router();
  assert.throws(() => router.connect('local,ssh:-x'), TypeError);
  assert.equal(router.contexts().length, 1);
  await router.close();
});
