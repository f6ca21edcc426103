/** A program under way: asked for, started, read, ended. */
import { createAbort } from '../core/abort.ts';
import { Receiver, Sender } from '../core/channel.ts';
import type { ExecFlows, ExecOrder, ExecOutcome } from '../core/exec-order.ts';
import type { CallOptions } from './calls.ts';
import type { Context } from './context.ts';
import { execError } from './exec-error.ts';
import { byteFlow, bytesOf, ExecStdin } from './exec-input.ts';
import { DEFAULT_MAX_BUFFER_BYTES, type ExecOptions, type ExecResult } from './exec-options.ts';
import { Output } from './exec-output.ts';
import type { ContextOperations } from './operations.ts';
import { callService } from './service-call.ts';

const NAMES = ['stdout', 'stderr'] as const;

/** What is to be run, where, and where that was asked for. */
export interface ExecRequest {
  operations: ContextOperations;
  argv: readonly string[];
  /** How the program is called in errors. */
  program: string;
  options: ExecOptions;
  /** Where the stack of an error begins. */
  site: { stack?: string };
}

/** One run of a program. It is ordered at the end of the turn in which it was made: what is taken of it until then flows while it runs. */
export class ExecRun {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly result: Promise<ExecResult<string | Uint8Array>>;
  readonly #request: ExecRequest;
  readonly #live: Set<'stdout' | 'stderr'> = new Set();
  #stdin: ExecStdin | undefined;
  #isOrdered = false;
  #context: Context | undefined;
  #controller: AbortController | undefined;
  #inputError: { error: unknown } | undefined;
  #resolve: (result: ExecResult<string | Uint8Array>) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(request: ExecRequest) {
    this.#request = request;
    const { encoding, maxBufferBytes = DEFAULT_MAX_BUFFER_BYTES } = request.options;
    const [stdout, stderr] = NAMES.map((name) => {
      const onOverflow = (): void => this.#onOverflow(name, maxBufferBytes);
      return new Output({ name, isBytes: encoding === 'buffer', maxBufferBytes, onOverflow });
    }) as [Output, Output];
    this.stdout = stdout;
    this.stderr = stderr;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    queueMicrotask(() => this.#order());
  }

  /** An output to be read. Failures are told to the reader from now on, so nobody has to wait for the result. */
  take(name: 'stdout' | 'stderr'): Output {
    this.result.catch(() => {});
    if (!this.#isOrdered) this.#live.add(name);
    return this[name];
  }

  /** The input to be written. */
  input(): ExecStdin {
    if (this.#stdin) return this.#stdin;
    if (this.#request.options.stdin !== undefined) throw new TypeError('The option stdin says already what the program reads');
    if (this.#isOrdered) throw new TypeError('stdin must be taken in the same turn as the program is run');
    return (this.#stdin = new ExecStdin());
  }

  /** Takes the outputs for the result, whether somebody reads them or not. */
  drain(): void {
    for (const name of NAMES) this[name].drain();
  }

  #order(): void {
    this.#isOrdered = true;
    const target = this.#request.operations.target();
    if (target instanceof Promise) target.then((context) => this.#orderFrom(context)).catch((error) => this.#fail(error));
    else this.#orderFrom(target);
  }

  #orderFrom(context: Context): void {
    this.#context = context;
    try {
      const flows = this.#flows(context);
      const order = this.#orderData();
      this.#call(context, flows ? [order, flows] : [order]).then(
        (outcome) => this.#onOutcome(outcome as ExecOutcome),
        (error) => this.#fail(this.#inputError ? this.#inputError.error : error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #orderData(): ExecOrder {
    const { argv, options } = this.#request;
    const { cwd, env, stdin, maxBufferBytes = DEFAULT_MAX_BUFFER_BYTES } = options;
    const order: ExecOrder = { argv, maxBufferBytes };
    if (cwd !== undefined) order.cwd = cwd;
    if (env) order.env = { ...env };
    if (typeof stdin === 'string' || stdin instanceof Uint8Array) order.input = bytesOf(stdin);
    return order;
  }

  #flows(context: Context): ExecFlows | undefined {
    const { stdin } = this.#request.options;
    const { live, endpoint } = context.runtime;
    const { channels } = live;
    const flows: ExecFlows = {};
    for (const name of this.#live) {
      const receiver = new Receiver<Uint8Array>(channels, context.id);
      flows[name] = new Sender<Uint8Array>(channels, endpoint.id, receiver.handle);
      this[name].follow(receiver);
    }
    if (this.#stdin) flows.stdin = this.#stdin;
    else if (stdin !== undefined && typeof stdin !== 'string' && !(stdin instanceof Uint8Array)) {
      flows.stdin = byteFlow(stdin, (error) => (this.#inputError = { error }));
    }
    return Object.keys(flows).length ? flows : undefined;
  }

  #call(context: Context, args: unknown[]): Promise<unknown> {
    return callService(context, 'mitos:exec#run', args, this.#callOptions());
  }

  /** The caller's wish to give up, and, when outputs flow, our own. */
  #callOptions(): CallOptions {
    const { signal, timeoutMs } = this.#request.options;
    if (!this.#live.size) return { signal, timeoutMs };
    const controller = createAbort();
    this.#controller = controller;
    if (signal) {
      const onAbort = (): void => controller.abort(signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort);
      const forget = (): void => signal.removeEventListener('abort', onAbort);
      this.result.then(forget, forget);
    }
    return { signal: controller.signal, timeoutMs };
  }

  #onOverflow(name: string, maxBufferBytes: number): void {
    const failure = {
      code: 'ERR_MITOS_LIMIT' as const,
      message: `it printed more than ${maxBufferBytes} bytes to ${name} (maxBufferBytes)`,
      hint: `read ${name} while it runs`,
    };
    const error = execError(this.#request, this.#context, { stdout: '', stderr: '', exitCode: null, signal: null }, failure);
    if (this.#controller) this.#controller.abort(error);
    this.#fail(error);
  }

  #onOutcome({ stdout, stderr, exitCode, signal, failure }: ExecOutcome): void {
    if (this.#inputError) {
      this.#fail(this.#inputError.error);
      return;
    }
    this.stdout.finish(stdout);
    this.stderr.finish(stderr);
    const finish = (): void => {
      const { encoding, nothrow } = this.#request.options;
      const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
      const [out, err] = [this.stdout.bytes(), this.stderr.bytes()];
      const result =
        encoding === 'buffer' ? { stdout: out, stderr: err, exitCode, signal } : { stdout: text(out), stderr: text(err), exitCode, signal };
      const isEnd = !failure || (failure.code === 'ERR_MITOS_EXEC' && (exitCode === 126 || exitCode === 127));
      if (isEnd && (exitCode === 0 || nothrow)) this.#resolve(result);
      else this.#reject(execError(this.#request, this.#context, result, failure));
    };
    Promise.all([this.stdout.ended, this.stderr.ended])
      .then(finish)
      .catch((error) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.stdout.fail(error);
    this.stderr.fail(error);
    this.#reject(error);
  }
}
