/** Containers of lxc, for real. */
import { entranceTests } from '../fixtures/programs/containers.js';
import { needs, openLab } from '../support/lab/index.js';

const lab = openLab();

entranceTests({
  method: 'lxc',
  needs: needs('lxc'),
  make: lab.lxc,
  open: (from, { name, tool }, more) => from.lxc({ container: name, path: tool, ...more }),
});
