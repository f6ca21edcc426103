/** `mitos doctor`, put together. */
import type { Router } from '../../index.ts';
import type { Target } from '../targets.ts';
import { Output } from '../terminal.ts';
import { DoctorPrinter } from './print.ts';
import { walk } from './walk.ts';

/** Options of {@link doctor}. */
export interface DoctorOptions {
  version: string;
  isJson: boolean;
}

/** Walks to the target and prints what is found. True when it was reached. */
export async function doctor(router: Router, target: Target, { version, isJson }: DoctorOptions): Promise<boolean> {
  // The reader may leave: there is nobody to tell anything then.
  process.stdout.on('error', () => process.exit());
  const here = { mitos: version, node: process.version, platform: `${process.platform} ${process.arch}` };
  if (isJson) {
    const report = await walk(router, target, { onStep: () => {}, onReached: () => {} });
    process.stdout.write(`${JSON.stringify({ ...report, here })}\n`);
    return report.status === 'ok';
  }
  const output = new Output(process.stdout, process.env);
  output.text('', ['dim', `mitos ${here.mitos}, Node ${here.node}, ${here.platform}`]);
  output.line();
  const printer = new DoctorPrinter(output);
  const report = await walk(router, target, printer);
  printer.end(report);
  return report.status === 'ok';
}
