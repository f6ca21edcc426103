import async from 'async';

export const about = { package: 'async', covers: 'dual package, control flow' };

export async function run(): Promise<unknown> {
  const order: number[] = [];
  const squares = await async.mapLimit([1, 2, 3, 4], 2, async (n: number) => {
    order.push(n);
    return n * n;
  });
  const auto = await async.auto({ a: async () => 1, b: ['a', async ({ a }: { a: number }) => a + 1] });
  return { squares, auto, seen: order.length };
}
