/** The same work in several contexts at once; results are printed as they come in, and those that fail do not disturb the others. */
import { setTimeout as sleep } from 'node:timers/promises';
import { group, main, select } from 'mitos';

/** Work that takes a while, and fails for one of them. */
async function inspect(part: number): Promise<string> {
  await sleep(part * 100);
  if (part === 2) throw new RangeError(`part ${part} is broken`);
  return `part ${part} is fine`;
}

await main(import.meta, async (router) => {
  const contexts = [router.worker({ name: 'a' }), router.worker({ name: 'b' }), router.worker({ name: 'c' })] as const;
  const [a, b, c] = contexts;

  // Different calls, each by its own name.
  for await (const result of select({ slow: a.call(inspect, 3), broken: b.call(inspect, 2), quick: c.call(inspect, 1) })) {
    if ('error' in result) console.log(`${result.source}: ${String(result.error)}`);
    else console.log(`${result.source}: ${result.value}`);
  }

  // The same call everywhere.
  for await (const { context, status } of group(contexts).call(inspect, 1)) console.log(`${context.name}: ${status}`);
});
