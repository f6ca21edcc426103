import 'reflect-metadata';
import { DataSource, EntitySchema } from 'typeorm';

export const about = {
  package: 'typeorm',
  covers: 'object mapper on SQLite in WebAssembly; 400 modules, many optional requires',
  asks: 'the driver is required when the connection is made',
  requests: 2,
};

const Post = new EntitySchema<{ id: number; title: string; author?: unknown }>({
  name: 'Post',
  columns: { id: { type: Number, primary: true, generated: true }, title: { type: String } },
  relations: { author: { type: 'many-to-one', target: 'Author' } },
});
const Author = new EntitySchema<{ id: number; name: string; posts?: unknown[] }>({
  name: 'Author',
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: String } },
  relations: { posts: { type: 'one-to-many', target: 'Post', inverseSide: 'author', cascade: true } },
});

export async function run(): Promise<unknown> {
  const source = new DataSource({ type: 'sqljs', synchronize: true, entities: [Post, Author] });
  await source.initialize();
  const authors = source.getRepository(Author);
  await authors.save({ name: 'a', posts: [{ title: 'one' }, { title: 'two' }] });
  const found = await authors.find({ relations: { posts: true }, order: { posts: { id: 'ASC' } } });
  const sql = source.getRepository(Post).createQueryBuilder('p').leftJoin('p.author', 'x').where('x.name = :n', { n: 'a' }).getSql();
  await source.destroy();
  return { found, sql };
}
