import { isMainThread } from 'node:worker_threads';
import { round } from 'lodash-es';

/** What the pool runs: a worker of the user's own, which imports a package. */
export default function square(n: number): unknown {
  return { square: round(n * n, 1), inWorker: !isMainThread };
}
