/** Why a target could not be given a Node. */
import type { RuntimeOffer } from '../core/runtime-order.ts';
import type { Failure } from './failure.ts';
import { lacking } from './provision-script.ts';
import type { Target } from './provision-target.ts';

const OWN = "install Node there, or say where it is with the option 'node'";

function failed(target: Target, message: string, hint: string, code: Failure['code'] = 'ERR_MITOS_RUNTIME_PUSH'): Failure {
  const { query, tried } = target;
  return { code, message: `there is no Node, and none can be pushed: ${message}`, hint, data: { target: query, tried } };
}

/** Why nothing can be pushed to a target, if so: what it is, or that no way works. */
export function noWay(target: Target): Failure | undefined {
  const { query, tried, way, tools, machine } = target;
  if (query.platform !== 'linux') return failed(target, `it is ${machine}, and only Linux can be given one`, OWN);
  if (query.libc === 'unknown') return failed(target, `no glibc was found there (${machine})`, OWN);
  const missing = lacking(tools);
  if (missing.length) return failed(target, `it has no ${missing.join(' and no ')}`, OWN);
  if (way) return undefined;
  const hint = 'Python or Perl, or a folder of its own where programs may run, would do';
  const isFull =
    tried.some((text) => /only \d+ KB are free|No space left/.test(text)) && tried.every((text) => !/noexec|denied/i.test(text));
  return failed(
    target,
    `no way to run one without leaving it behind: ${tried.join('; ')}`,
    hint,
    isFull ? 'ERR_MITOS_RESOURCE' : undefined,
  );
}

/** That there is no Node, where one could be pushed. */
export function wouldBePushed({ way, query, machine, tried }: Target): Failure {
  const how = way === 'file' ? 'from a file that has no name' : `from memory, by way of ${way}`;
  return {
    code: 'ERR_MITOS_NO_RUNTIME',
    message: `no Node found there (${machine}); one would be sent, and run ${how}`,
    hint: "that is what runtime: 'auto' does",
    data: { way: how, target: query, tried },
  };
}

/** Why what is offered cannot be run there, if so. */
export function unsuited(target: Target, { size }: RuntimeOffer): Failure | undefined {
  if (target.freeMemory >= size) return undefined;
  const [need, free] = [size, target.freeMemory].map((bytes) => Math.round(bytes / 1e6));
  return failed(target, `it takes ${need} MB of memory, and ${free} MB are free`, OWN, 'ERR_MITOS_RESOURCE');
}

/** What a step that failed on the target means. */
export function badStep([step, ...words]: readonly string[], target: Target, { version, hash }: RuntimeOffer): Failure {
  const seen = words.join(' ');
  if (step === 'unpack') {
    const isShort = /No space|File too large|file size limit|Cannot allocate|memory|quota/i.test(seen) || /^(137|153)\b/.test(seen);
    return isShort
      ? failed(target, `there is no room for it (${seen})`, 'free some memory there, or raise the limits', 'ERR_MITOS_RESOURCE')
      : failed(target, `it could not be unpacked there (${seen})`, 'see `mitos runtime list`: it may be corrupted here');
  }
  if (step === 'hash') {
    return failed(target, `what came is not what was sent: its SHA-256 is ${seen}, not ${hash}`, 'it was not run');
  }
  return failed(target, `Node ${version} does not run there (${seen})`, OWN);
}
