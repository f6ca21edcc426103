/** A function that never ends: the call is given up after a time, and the context is ended although its main thread spins. */
import { MitosError, main } from 'mitos';

/** Never gives the thread back. */
function spin(): never {
  for (;;);
}

await main(import.meta, async (router) => {
  const context = await router.local({ name: 'busy' });
  try {
    await context.with({ timeoutMs: 300 }).call(spin);
  } catch (error) {
    if (!MitosError.is(error)) throw error;
    console.log(error.code);
    console.log(error.message);
  }
  const startedAt = performance.now();
  await context.shutdown({ graceMs: 0 });
  console.log('ended within a second:', performance.now() - startedAt < 1000);
  console.log('reason:', (await context.closed).code);
});
