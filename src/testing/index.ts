/** `mitos/testing`: what mitos tests itself with, for the tests of programs that use it. */
export { type DelayProxy, type DelayProxyCounters, type DelayProxyOptions, delayProxy } from './delay-proxy.ts';
export { type FaultOptions, FaultStream, faultStream } from './fault-stream.ts';
export { type Leak, LeakError } from './leak.ts';
export { type LeakCheckOptions, type LeakOracle, type LeakOracleOptions, leakOracle } from './leak-oracle.ts';
export { type MemoryStreamOptions, type MemoryTransport, memoryStreamPair, type Scheduler } from './memory-stream.ts';
export { LEAK_TAG_VARIABLE, type ProcessInfo, processesWithTag, readProcessTable } from './process-table.ts';
export { createRandom, type Random, seedFromEnv } from './random.ts';
export { findCommand, type Requirement, requirement } from './requirement.ts';
export {
  BASIC_FUNCTIONS,
  type CallRecord,
  createSimulation,
  type SimulatedCallOptions,
  Simulation,
  type SimulationOptions,
} from './simulator.ts';
export { SimulatedContext, type SimulatedFunction } from './simulator-context.ts';
export { type LinkFaults, SimulatedLink } from './simulator-link.ts';
export { Oracle } from './simulator-oracle.ts';
export { forge, type SimulationRunOptions, simulate } from './simulator-traffic.ts';
export { type OracleTestContext, type OracleTestFunction, type OracleTestOptions, testWithOracle } from './test-with-oracle.ts';
export { type RunOptions, VirtualClock, type VirtualTimer } from './virtual-clock.ts';
export { type SeedOptions, withSeed } from './with-seed.ts';
