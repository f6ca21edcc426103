/** Containers and images by docker's client; podman's service stands in for the daemon. */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { findCommand, testWithOracle } from '#src/testing/index.js';
import { entranceTests, importImage, lookAround, withRouter } from '../fixtures/programs/containers.js';
import { pidOf, rejectsWith, within } from '../fixtures/programs/harness.js';
import { type Container, needs, openLab } from '../support/lab/index.js';
import { run } from '../support/lab/process.js';

const lab = openLab();
const here = needs('docker');

entranceTests({
  method: 'docker',
  needs: here,
  make: lab.docker,
  open: (from, { name, tool }, more) => from.docker({ container: name, path: tool, ...more }),
});

let container: Container;
let full: ReturnType<typeof importImage>;
if (here.skip === false) {
  before(async () => {
    const podman = await lab.podman();
    full = importImage(lab.directory, podman.tool, 'docker');
    run(['sed', '-i', `s|^exec [^ ]*|exec ${findCommand('docker')}|`, full.path]);
    container = await lab.docker();
  });
  after(() => full.close());
}

testWithOracle('docker: an image gives a container that is removed with its context', here, async () => {
  await withRouter(container, async (router) => {
    const { image, path } = full;
    const context = await router.docker({ image, path });
    assert.equal((await context.call(lookAround)).uid, 0);
    assert.notEqual(await pidOf(context), 1);
    await context.shutdown();
    await within(
      5000,
      'The container is removed',
      () => run([path, 'ps', '--all', '--quiet', '--filter', `ancestor=${image}`]).trim() === '',
    );
  });
});

testWithOracle('docker: a container that is not there, or does not run, is told with the words of the daemon', here, async () => {
  await using stopped = await lab.docker();
  await withRouter(stopped, async (router) => {
    const missing = await rejectsWith(router.docker({ container: 'nope' }), 'ERR_MITOS_NO_CONTAINER');
    assert.match(missing.message, /: no such container; last output: .*daemon/);
    assert.equal(missing.hint, 'see docker ps -a');
    run([stopped.tool, 'stop', '--time', '0', stopped.name], { env: stopped.env });
    const idle = await rejectsWith(router.docker({ container: stopped.name }), 'ERR_MITOS_NO_CONTAINER');
    assert.match(idle.message, /: the container does not run; .*daemon/);
  });
});

testWithOracle('docker: a daemon that does not answer is told as such', here, async () => {
  await withRouter({ ...container, env: { DOCKER_HOST: 'unix:///no/such.sock' } }, async (router) => {
    const error = await rejectsWith(router.docker({ container: 'web' }), 'ERR_MITOS_TRANSPORT_EXIT');
    assert.match(error.message, /: its server does not answer; .*Cannot connect to the Docker daemon/);
    assert.match(String(error.hint), /check that it runs/);
    assert.ok((error['elapsedMs'] as number) < 5000);
  });
});
