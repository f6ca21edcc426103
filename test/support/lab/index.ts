/**
 * A lab for connection methods: real users, servers and containers, on loopback and in namespaces, for the time of a test file.
 *
 * ```ts
 * import { needs, openLab } from '../support/lab/index.js';
 *
 * const sshd = needs('sshd');                 // { skip: reason | false }, as `requirement()` gives it
 * const lab = openLab();                      // closes itself after the tests of the file
 * let server: Sshd;
 * let user: LabUser;
 * if (!sshd.skip) before(async () => {        // outside of tests: the leak oracle takes it as given
 *   user = await lab.user({ shell: 'fish' });
 *   server = await lab.sshd({ passwordAuthentication: true });
 * });
 * testWithOracle('…', sshd, async () => { … server.port, user.name, user.password … });
 * ```
 *
 * Inside a test, `await using server = await lab.sshd()` ends it before the oracle looks.
 * All of it needs root; `needs()` says so. What a crashed run left is undone when a lab is opened next.
 */
export { createLab, openLab } from './lab.ts';
export { missing, needs, outsider } from './needs.ts';
export type * from './types.ts';
export { noise } from './users.ts';
