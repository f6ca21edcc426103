// Preloaded (NODE_OPTIONS) into the programs and threads of a test run whose contexts shall run on another Node: `local()` of the master then takes that
// one, because it sees `process.execPath` as MITOS_TEST_NODE. Everything else sees what is true. Has to load on any Node, and does nothing on others than the master's.
'use strict';
const node = process.env.MITOS_TEST_NODE;
if (node && process.version === process.env.MITOS_TEST_MASTER) {
  const own = process.execPath;
  Object.defineProperty(process, 'execPath', {
    configurable: true,
    enumerable: true,
    get: () => {
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = 4;
      const { stack } = new Error();
      Error.stackTraceLimit = stackTraceLimit;
      return /[\\/]methods[\\/]local\.js|mitos:local/.test(String(stack)) ? node : own;
    },
    set: () => {},
  });
}
