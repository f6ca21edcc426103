/** A function of this file runs in another process. */
import { statfsSync } from 'node:fs';
import os from 'node:os';
import { main } from 'mitos';

/** Share of a file system that is in use, in percent. */
function diskUsage(path: string): number {
  const { blocks, bfree } = statfsSync(path);
  return Math.round((100 * (blocks - bfree)) / blocks);
}

await main(import.meta, async (router) => {
  const context = await router.local();
  console.log('host:', await context.call(os.hostname));
  console.log('disk:', await context.call(diskUsage, '/'), '% of / in use');
  console.log('another process:', (await context.call(() => process.pid)) !== process.pid);
});
