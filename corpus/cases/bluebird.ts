import Promised from 'bluebird';

export const about = { package: 'bluebird', covers: 'new Function, CommonJS that takes what surrounds it' };

export async function run(): Promise<unknown> {
  const read = Promised.promisify((n: number, done: (error: Error | null, value?: number) => void) =>
    done(n < 0 ? new RangeError('low') : null, n + 1),
  );
  const found = await Promised.map([1, 2, 3], (n) => read(n), { concurrency: 2 });
  const caught = await read(-1).catch(RangeError, (error) => error.message);
  return { found, caught, name: Promised.resolve(1).constructor === Promised };
}
