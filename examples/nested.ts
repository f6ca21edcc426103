/** A context starts contexts of its own: from outside, by a chain that is one flight, and from inside, by a function that runs there. */
import { main, self } from 'mitos';

/** Where this runs: the name of its context, and how many contexts stand above it. */
function whereAmI(): string {
  const { context, parent } = self();
  let depth = 0;
  for (let above = parent; above; above = above.via) depth++;
  return `${context.name}, level ${depth}`;
}

/** Starts a helper below the context this runs in, and ends it again. */
async function askHelper(): Promise<string> {
  const helper = await self().router.local({ name: 'helper' });
  try {
    return await helper.call(whereAmI);
  } finally {
    await helper.shutdown();
  }
}

await main(import.meta, async (router) => {
  const outer = router.local({ name: 'outer' });
  const inner = outer.local({ name: 'inner' });
  console.log(await inner.call(whereAmI));
  console.log(await inner.call(askHelper));
});
