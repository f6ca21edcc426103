/** Containers and images of podman, for real. */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { testWithOracle } from '#src/testing/index.js';
import { entranceTests, importImage, killTools, lookAround, spin, withRouter } from '../fixtures/programs/containers.js';
import { pidOf, rejectsWith, within } from '../fixtures/programs/harness.js';
import { type Container, needs, openLab } from '../support/lab/index.js';
import { run } from '../support/lab/process.js';

const lab = openLab();
const here = needs('podman');

entranceTests({
  method: 'podman',
  needs: here,
  make: lab.podman,
  open: (from, { name, tool }, more) => from.podman({ container: name, path: tool, ...more }),
});

let container: Container;
let full: ReturnType<typeof importImage>;
let empty: ReturnType<typeof importImage>;
if (here.skip === false) {
  before(async () => {
    container = await lab.podman();
    full = importImage(lab.directory, container.tool, 'podman');
    empty = importImage(lab.directory, container.tool, 'podman-empty', true);
  });
  after(() => {
    full.close();
    empty.close();
  });
}

/** Containers of an image, running or not. */
const containersOf = (image: string): string => run([container.tool, 'ps', '--all', '--quiet', '--filter', `ancestor=${image}`]).trim();

testWithOracle('podman: an image gives a container that is removed with its context', here, async () => {
  await withRouter(container, async (router) => {
    const { image, path } = full;
    const context = await router.podman({ image, path, node: lab.node });
    assert.equal((await context.call(lookAround)).uid, 0);
    // The first process of a container cannot end itself by a signal.
    assert.notEqual(await pidOf(context), 1);
    assert.notEqual(containersOf(image), '');
    assert.equal((await router.podman({ image, path, username: 'nobody' }).call(lookAround)).uid, 65534);
    await context.shutdown();
  });
  await within(5000, 'The container is removed', () => containersOf(full.image) === '');
});

testWithOracle('podman: the container of an image goes with its tool, even if a function spins in it', here, async ({ oracle }) => {
  await withRouter(container, async (router) => {
    const { image, path } = full;
    const context = await router.podman({ image, path });
    const call = rejectsWith(context.call(spin), 'ERR_MITOS_CHILD_EXIT', 'ERR_MITOS_DISCONNECTED');
    await context.info();
    killTools(oracle);
    await call;
    await within(5000, 'The container is removed', () => containersOf(image) === '');
  });
});

testWithOracle('podman: an image without sh is told as such', here, async () => {
  await withRouter(container, async (router) => {
    const error = await rejectsWith(router.podman({ image: empty.image, path: container.tool }), 'ERR_MITOS_NO_RUNTIME');
    assert.match(error.message, /there is no sh in it.*`sh` not found/);
    assert.match(String(error.hint), /POSIX shell/);
  });
});

testWithOracle('podman: a container that is not there, or does not run, is told with the words of the tool', here, async () => {
  await using stopped = await lab.podman();
  run([stopped.tool, 'stop', '--time', '0', stopped.name]);
  await withRouter(container, async (router) => {
    const path = container.tool;
    const missing = await rejectsWith(router.podman({ container: 'nope', path }), 'ERR_MITOS_NO_CONTAINER');
    assert.match(
      missing.message,
      /^Cannot connect "podman\.nope" via podman: no such container; last output: .*no container with name or ID/,
    );
    assert.equal(missing.hint, 'see podman ps -a');
    assert.equal(missing['exitCode'], 125);
    const idle = await rejectsWith(router.podman({ container: stopped.name, path }), 'ERR_MITOS_NO_CONTAINER');
    assert.match(idle.message, /: the container does not run; .*container state improper/);
    for (const error of [missing, idle]) assert.ok((error['elapsedMs'] as number) < 5000);
  });
});

testWithOracle('podman: a Node that is not inside is ERR_MITOS_NO_RUNTIME', here, async () => {
  await withRouter(container, async (router) => {
    const error = await rejectsWith(
      router.podman({ container: container.name, path: container.tool, node: '/no/node' }),
      'ERR_MITOS_NO_RUNTIME',
    );
    // podman loses the output of some commands that end at once.
    assert.match(error.message, /\/no\/node|Node cannot be run/);
  });
});

testWithOracle('podman: a program that is not here is told by name', here, async () => {
  await withRouter(container, async (router) => {
    const error = await rejectsWith(router.podman({ container: 'web', path: '/no/podman' }), 'ERR_MITOS_TRANSPORT_EXIT');
    assert.match(error.message, /no program "\/no\/podman" here/);
    assert.match(String(error.hint), /option path/);
  });
});
