/** The ways a context can run: every rule of the API holds in each of them. */
import { type Context, type ContextPromise, Router, type RouterOptions } from 'mitos';
import { type OracleTestContext, type OracleTestOptions, testWithOracle } from '#src/testing/index.js';
import { CONTEXT_NODE, CONTEXT_VERSION } from '../support/nodes.js';

/** Whether other contexts run on another Node than the master: in `npm run matrix`. */
const IS_MATRIX = CONTEXT_NODE !== process.execPath;

interface Mode {
  readonly name: string;
  readonly router: RouterOptions;
  readonly options: { threadless?: boolean };
  readonly method: 'local' | 'worker';
}

const MODES: readonly Mode[] = [
  { name: 'child with an I/O thread', router: {}, options: {}, method: 'local' },
  { name: 'threadless child', router: {}, options: { threadless: true }, method: 'local' },
  { name: 'worker', router: {}, options: {}, method: 'worker' },
  { name: 'master with an I/O thread', router: { threaded: true }, options: {}, method: 'local' },
];

/** What a test of one mode gets. */
export interface ModeContext extends OracleTestContext {
  readonly router: Router;
  /** Opens a context of this mode below `from`. */
  open(from?: Context | ContextPromise | Router): ContextPromise;
  /** Whether the user's code there has a thread of its own. */
  readonly hasOwnThread: boolean;
  /** The Node that runs the user's code there. */
  readonly nodeVersion: string;
}

/** Options of {@link inEveryMode}. */
export interface ModeOptions extends OracleTestOptions {
  /** Options of the router. */
  router?: RouterOptions;
  /** Leaves modes out, by a part of their name. */
  except?: string;
  /** The first Node (its major number) that has what the functions of the test use; in `npm run matrix` it is left out on older ones. */
  since?: number;
}

/** One test for each mode, with a router that is closed at its end. */
export function inEveryMode(name: string, fn: (mode: ModeContext) => Promise<void>, options: ModeOptions = {}): void {
  if (Number.parseInt(CONTEXT_VERSION, 10) < (options.since ?? 0)) return;
  for (const mode of MODES) {
    // What is special about these two runs on the Node of the master, whatever the others run on.
    if (IS_MATRIX && (mode.method === 'worker' || mode.router.threaded === true)) continue;
    if (options.except !== undefined && mode.name.includes(options.except)) continue;
    testWithOracle(`${name} [${mode.name}]`, { timeoutMs: 15_000, ...options }, async (context) => {
      const router = new Router({ logger: false, ...mode.router, ...options.router });
      const open = (from: Context | ContextPromise | Router = router): ContextPromise =>
        mode.method === 'worker' ? from.worker() : from.local(mode.options);
      const nodeVersion = mode.method === 'worker' ? process.versions.node : CONTEXT_VERSION;
      const hasOwnThread = mode.method === 'local' && mode.options.threadless !== true;
      try {
        await fn({ ...context, router, open, hasOwnThread, nodeVersion });
      } finally {
        await router.close();
      }
    });
  }
}

/** A test with a router of the usual kind that is closed at its end. */
export function withRouter(
  name: string,
  fn: (context: OracleTestContext & { router: Router }) => Promise<void>,
  options: ModeOptions = {},
): void {
  testWithOracle(name, { timeoutMs: 15_000, ...options }, async (context) => {
    const router = new Router({ logger: false, ...options.router });
    try {
      await fn({ ...context, router });
    } finally {
      await router.close();
    }
  });
}

/** The error that `promise` rejects with. Fails when it does not reject. */
export async function rejection(promise: PromiseLike<unknown>): Promise<Error & { code?: string; cause?: unknown }> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error(`It did not reject but gave ${String(value)}`);
}
