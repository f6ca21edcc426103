import knex from 'knex';

export const about = {
  package: 'knex',
  covers: 'query builder; dialects required by computed names',
  asks: 'the dialect is required by a name that is computed',
  requests: 1,
};

export async function run(): Promise<unknown> {
  const db = knex({ client: 'pg' });
  const query = db('users as u')
    .join('posts as p', 'p.user', 'u.id')
    .where({ 'u.name': "o'x" })
    .whereIn('p.id', [1, 2])
    .groupBy('u.id')
    .count('p.id as n')
    .orderBy('n', 'desc')
    .limit(5);
  const schema = db.schema.createTable('t', (table) => {
    table.increments('id');
    table.string('name').notNullable().unique();
  });
  const out = {
    sql: query.toSQL().toNative(),
    schema: schema.toString(),
    insert: db('t')
      .insert([{ name: 'a' }])
      .returning('id')
      .toString(),
  };
  await db.destroy();
  return out;
}
