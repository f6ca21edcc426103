import pg from 'pg';

export const about = { package: 'pg', covers: 'ES module wrapper around CommonJS; optional native binding behind a getter' };

export async function run(): Promise<unknown> {
  const failed = await new pg.Client({ host: '127.0.0.1', port: 1, connectionTimeoutMillis: 2000 }).connect().catch((error) => error.code);
  return { quoted: pg.escapeIdentifier('a"b'), literal: pg.escapeLiteral("o'x"), type: pg.types.getTypeParser(20)('12'), failed };
}
