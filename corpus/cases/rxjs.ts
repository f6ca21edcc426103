import { firstValueFrom, from, interval, toArray } from 'rxjs';
import { map, mergeMap, scan, take } from 'rxjs/operators';

export const about = { package: 'rxjs', covers: 'dual package with folders of subpaths' };

export async function run(): Promise<unknown> {
  const sums = await firstValueFrom(
    from([1, 2, 3]).pipe(
      mergeMap(async (n) => n * 2),
      scan((a, b) => a + b, 0),
      toArray(),
    ),
  );
  return {
    sums,
    ticks: await firstValueFrom(
      interval(1).pipe(
        take(3),
        map((n) => n * n),
        toArray(),
      ),
    ),
  };
}
