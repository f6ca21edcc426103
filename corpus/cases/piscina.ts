import { Piscina } from 'piscina';

export const about = {
  package: 'piscina',
  covers: 'workers inside: a pool whose worker is a file of the package, and of the user',
  asks: 'the files of workers are asked for when they are started',
  requests: 6,
};

export async function run(): Promise<unknown> {
  const pool = new Piscina({ filename: new URL('../workers/square.js', import.meta.url).href, maxThreads: 2 });
  try {
    return await Promise.all([1, 2, 3].map((n) => pool.run(n)));
  } finally {
    await pool.destroy();
  }
}
