import PQueue from 'p-queue';

export const about = { package: 'p-queue', covers: 'ES module only, class names' };

export async function run(): Promise<unknown> {
  const queue = new PQueue({ concurrency: 1 });
  const order: string[] = [];
  await Promise.all([
    queue.add(async () => order.push('a')),
    queue.add(async () => order.push('b'), { priority: 0 }),
    queue.add(async () => order.push('c'), { priority: 5 }),
  ]);
  return { order, name: PQueue.name, pending: queue.pending };
}
