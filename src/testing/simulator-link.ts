import { FaultStream } from './fault-stream.ts';
import { memoryStreamPair } from './memory-stream.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** What the links of a simulation are like; each value is drawn per link from 0 to the bound. */
export interface LinkFaults {
  /** Largest delay of a chunk in milliseconds. @default 0 */
  maxDelayMs?: number;
  /** Largest pieces that bytes come out in, on half of the links; 0 leaves them as they are written. @default 0 */
  maxSliceBytes?: number;
}

/** A byte link between two simulated contexts. */
export class SimulatedLink {
  /** The end of the parent. */
  readonly upper: FaultStream;
  /** The end of the child. */
  readonly lower: FaultStream;
  /** How the link has been hurt. */
  state: 'up' | 'stalled' | 'cut' = 'up';

  constructor(clock: VirtualClock, random: Random, faults: LinkFaults) {
    const [left, right] = memoryStreamPair({ schedule: clock.schedule });
    const options = {
      clock,
      ...(faults.maxDelayMs ? { delayMs: delays(random, faults.maxDelayMs) } : {}),
      ...(faults.maxSliceBytes && random.bool() ? { slice: Math.min(faults.maxSliceBytes, 50 + random.int(faults.maxSliceBytes)) } : {}),
    };
    this.upper = new FaultStream(left, options);
    this.lower = new FaultStream(right, options);
    this.lower.pause(); // until the child runs
  }

  /** Ends the link: both sides see it close, what was on the way is lost. */
  cut(): void {
    this.state = 'cut';
    this.upper.cut();
    this.lower.cut();
  }

  /** Nothing passes any more, and nobody is told. */
  stall(): void {
    this.state = 'stalled';
    this.upper.stall();
    this.lower.stall();
  }

  /** Ends a stall: what was held back is delivered. */
  resume(): void {
    if (this.state !== 'stalled') return;
    this.state = 'up';
    this.upper.release();
    this.lower.release();
  }
}

/** A base delay for the link, with some jitter. */
function delays(random: Random, maxMs: number): () => number {
  const base = random.int(maxMs + 1);
  return () => base + random.int(1 + (maxMs >> 2));
}
