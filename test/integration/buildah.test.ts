/** Working containers and images of buildah, for real. */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { testWithOracle } from '#src/testing/index.js';
import { entranceTests, importImage, killTools, lookAround, spin, withRouter } from '../fixtures/programs/containers.js';
import { rejectsWith, within } from '../fixtures/programs/harness.js';
import { type Container, needs, openLab } from '../support/lab/index.js';
import { run } from '../support/lab/process.js';

const lab = openLab();
const here = needs('buildah', 'podman');

entranceTests({
  method: 'buildah',
  needs: here,
  make: lab.buildah,
  open: (from, { name, tool }, more) => from.buildah({ container: name, path: tool, ...more }),
  isKilled: false,
});

let container: Container;
let full: ReturnType<typeof importImage>;
if (here.skip === false) {
  before(async () => {
    container = await lab.buildah();
    full = importImage(lab.directory, (await lab.podman()).tool, 'buildah');
    run(['sed', '-i', `s|^exec [^ ]*|exec ${container.tool}|`, full.path]);
  });
  after(() => full.close());
}

/** Working containers of the image. */
const left = (): string =>
  run([container.tool, 'containers', '--format', '{{.ImageName}}'])
    .split('\n')
    .filter((name) => name.startsWith(full.image))
    .join();

testWithOracle('buildah: an image gives a working container that is removed with its context', here, async () => {
  await withRouter(container, async (router) => {
    const { image, path } = full;
    const context = await router.buildah({ image, path, username: 'nobody' });
    assert.equal((await context.call(lookAround)).uid, 65534);
    assert.notEqual(left(), '');
    await context.shutdown();
    await within(5000, 'The container is removed', () => left() === '');
  });
});

testWithOracle('buildah: the container of an image is removed when its tool is killed', here, async ({ oracle }) => {
  await withRouter(container, async (router) => {
    const { image, path } = full;
    const context = await router.buildah({ image, path });
    const call = rejectsWith(context.call(spin), 'ERR_MITOS_CHILD_EXIT', 'ERR_MITOS_DISCONNECTED');
    await context.info();
    killTools(oracle);
    await call;
    await within(5000, 'The container is removed', () => left() === '');
  });
});

testWithOracle('buildah: a container or an image that is not there is told with the words of the tool', here, async () => {
  await withRouter(container, async (router) => {
    const path = container.tool;
    const missing = await rejectsWith(router.buildah({ container: 'nope', path }), 'ERR_MITOS_NO_CONTAINER');
    assert.match(missing.message, /: no such container; last output: .*container not known/);
    assert.equal(missing.hint, 'see buildah containers');
    const noImage = await rejectsWith(router.buildah({ image: 'mitos-no-such-image', path }), 'ERR_MITOS_NO_CONTAINER');
    assert.match(noImage.message, /: no such image;/);
  });
});
