/** Programs that run in a context: `exec` and `$`. */
import type { Writable } from 'stream';
import { argvOf, checkExecOptions, type ExecOptions, type ExecOutput, type ExecResult } from './exec-options.ts';
import { shellCommand } from './exec-quote.ts';
import { ExecRun } from './exec-run.ts';
import type { ContextOperations } from './operations.ts';

export type { ExecInput, ExecOptions, ExecOutput, ExecResult } from './exec-options.ts';

/**
 * A program that is run in a context: a promise of how it ends.
 *
 * It rejects with `ERR_MITOS_EXEC`, an error that has the members of {@link ExecResult}, when the program ends with anything but code 0, unless
 * `nothrow` is set; a program that does not exist has code 127, one that may not be executed 126. With `ERR_MITOS_LIMIT` it rejects when the
 * program prints too much, with `ERR_MITOS_TIMEOUT` or the signal's reason when the wait is given up, with the reason when the context ends.
 * In all these cases the program is ended together with whatever it started: SIGTERM, and SIGKILL half a second later.
 *
 * The order is sent at the end of the current turn. What is taken of {@link stdout}, {@link stderr} and {@link stdin} before that flows while the
 * program runs; the rest is collected there and comes with the result, in one round trip.
 *
 * @example
 * ```ts
 * const { stdout } = await context.exec(['uname', '-r']);
 * for await (const line of context.exec(['tail', '-f', '/var/log/syslog']).stdout) console.log(line);
 * ```
 */
export class ExecPromise<T extends string | Uint8Array = string> implements Promise<ExecResult<T>> {
  readonly #run: ExecRun;

  /** @internal */
  constructor(run: ExecRun) {
    this.#run = run;
  }

  get [Symbol.toStringTag](): string {
    return 'ExecPromise';
  }

  /**
   * Lines of the standard output, without their line breaks; with `encoding: 'buffer'` bytes as they come.
   *
   * Taken at once, they arrive while the program runs, which is held back when they are not read; leaving the loop early closes the program's
   * output. Taken later, they are those of the result. The loop ends when the output does, however the program ended: await the promise to know.
   * It throws only what keeps the output from coming: an abort, a timeout, the end of the context. Awaiting the promise reads what nobody reads.
   * The result has the output as well, unless it is longer than `maxBufferBytes`: then it is empty there.
   */
  get stdout(): AsyncIterable<T> {
    return this.#read('stdout');
  }

  /** Lines or bytes of the standard error, like {@link stdout}. */
  get stderr(): AsyncIterable<T> {
    return this.#read('stderr');
  }

  /**
   * What the program reads, to be taken at once; end it when everything is written. Throws a TypeError when it is taken later, or when there is an
   * option `stdin`. What is written when the program does not read any more is dropped.
   */
  get stdin(): Writable {
    return this.#run.input();
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  then<A = ExecResult<T>, B = never>(
    onFulfilled?: ((result: ExecResult<T>) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result().then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<ExecResult<T> | B> {
    return this.#result().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<ExecResult<T>> {
    return this.#result().finally(onFinally);
  }

  #result(): Promise<ExecResult<T>> {
    this.#run.drain();
    return this.#run.result as Promise<ExecResult<T>>;
  }

  #read(name: 'stdout' | 'stderr'): AsyncIterable<T> {
    const output = this.#run.take(name);
    return { [Symbol.asyncIterator]: () => output.read() as AsyncIterableIterator<T> };
  }
}

/** @internal Runs a program. Wrong arguments throw at once. */
export function startExec<O extends ExecOptions>(
  operations: ContextOperations,
  command: string | readonly string[],
  options: O,
): ExecPromise<ExecOutput<O>> {
  const argv = argvOf(command);
  checkExecOptions(options);
  const site = {};
  Error.captureStackTrace(site, operations.exec);
  return new ExecPromise(new ExecRun({ operations, argv, program: programOf(command), options, site }));
}

/** @internal Runs the command of a template. */
export function startShell(operations: ContextOperations, pieces: TemplateStringsArray, values: readonly unknown[]): ExecPromise {
  const command = shellCommand(pieces, values);
  const argv = argvOf(command);
  const site = {};
  Error.captureStackTrace(site, operations.$);
  return new ExecPromise(new ExecRun({ operations, argv, program: programOf(command), options: {}, site }));
}

/** The name of a program. Not its arguments: they may hold what nobody else should read. */
function programOf(command: string | readonly string[]): string {
  return typeof command === 'string' ? (/\S+/.exec(command) ?? ['sh'])[0].slice(0, 100) : (command[0] as string);
}
