/** What the compiler must infer, and what it must refuse. Compiled with the tests; never run. */
import os from 'node:os';
import { type Context, type ContextPromise, type Receiver, type Remote, Router, type Sender, self } from 'mitos';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Fails to compile unless the two types are the same. */
function same<A, B>(_isSame: Equal<A, B>): void {}

declare const context: Context;
declare const pending: ContextPromise;
declare function add(a: number, b?: number): number;
declare function later(text: string): Promise<{ text: string }>;
declare function items(): Generator<number>;
declare function laterItems(): AsyncGenerator<string>;
declare function stream(): Promise<ReadableStream<Uint8Array>>;
declare function many(...parts: string[]): string[];
declare function generic<T>(value: T): T;
declare function ends(): never;

export async function inference(): Promise<void> {
  const sum = context.call(add, 1, 2);
  same<typeof sum, Promise<number>>(true);
  const host = pending.call(os.hostname);
  same<typeof host, Promise<string>>(true);
  const text = await context.call(later, 'x');
  same<typeof text, { text: string }>(true);
  const inline = await context.call((n: number, unit: string) => `${n}${unit}`, 1, 'kg');
  same<typeof inline, string>(true);
  const count = await context.with({ timeoutMs: 1 }).call(add, 1);
  same<typeof count, number>(true);
  const parts = await context.chain().call(many, 'a', 'b');
  same<typeof parts, string[]>(true);
  const same1 = await context.call(generic<number>, 1);
  same<typeof same1, number>(true);
  const never = context.call(ends);
  same<typeof never, Promise<never>>(true);
  for await (const item of await context.call(items)) same<typeof item, number>(true);
  for await (const item of await context.call(laterItems)) same<typeof item, string>(true);
  for await (const item of await context.call(stream)) same<typeof item, Uint8Array>(true);
  const opened: Context = await pending;
  const below: ContextPromise = pending.local().worker();
  const result: string = await router.local().call(async () => self().context.name);
  void [opened, below, result];
}

export function refusals(): void {
  // @ts-expect-error an argument is missing
  void context.call(add);
  // @ts-expect-error an argument has the wrong type
  void context.call(add, 'x');
  // @ts-expect-error there is one too many
  void context.call(os.hostname, 1);
  // @ts-expect-error not a function
  void context.call('hostname');
  // @ts-expect-error arguments of an inline function are checked too
  void context.call((n: number) => n, '1');
  // @ts-expect-error the result is a number
  void (context.call(add, 1) satisfies Promise<string>);
  // @ts-expect-error options are checked
  void context.with({ timeout: 1 });
  // @ts-expect-error a notification has no result
  context.notify(add, 1) satisfies Promise<number>;
  // @ts-expect-error the names of options are checked
  void router.local({ nodePath: 'node' });
  // @ts-expect-error the names of events are checked
  router.on('conect', () => {});
  // @ts-expect-error import() must know from where
  void context.import('x');
}

export async function modules(): Promise<void> {
  const remote = await context.import<typeof import('node:path')>('node:path', { from: import.meta.url });
  same<typeof remote, Remote<typeof import('node:path')>>(true);
  const base = remote.basename('/a');
  same<typeof base, Promise<string>>(true);
  // @ts-expect-error only functions can be called
  void remote.sep;
  // @ts-expect-error arguments are checked
  void remote.basename(1);
}

export async function channels(): Promise<void> {
  const receiver = router.receiver<number>();
  same<typeof receiver, Receiver<number>>(true);
  const sender = receiver.sender();
  same<typeof sender, Sender<number>>(true);
  await sender.send(1);
  // @ts-expect-error items are checked
  await sender.send('1');
  for await (const item of receiver) same<typeof item, number>(true);
  await context.call((to: Sender<number>) => to.send(1), sender);
}

export function events(): void {
  router.on('log', ({ context: from, level, text }) => void [from.name, level, text]);
  router.on('connect', (one) => void one.id);
  context.on('disconnect', ({ code }) => void code);
}

const router = new Router({ logLevel: 'warn', limits: { maxDepth: 10 } });
