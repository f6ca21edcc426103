/** `mitos/services`: what the services of mitos are made of, for functions that run in a context themselves. */
export type { ExecFailure, ExecFlows, ExecOrder, ExecOutcome, ExecSink } from '../core/exec-order.ts';
export { run } from './exec.ts';
