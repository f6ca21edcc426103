import sqlite from 'node-sqlite3-wasm';
import { DataTypes, Op, Sequelize } from 'sequelize';

export const about = {
  package: 'sequelize',
  covers: 'object mapper on SQLite in WebAssembly',
  asks: 'the dialect is required when the connection is made',
  requests: 2,
};

type Done = (this: { lastID?: number; changes?: number }, error: Error | null, rows?: unknown) => void;

/** What Sequelize calls of the sqlite3 package, on top of SQLite in WebAssembly. */
class Database {
  readonly #db = new sqlite.Database(':memory:');
  constructor(_file: string, _mode: unknown, opened: (error: null) => void) {
    setImmediate(() => opened(null));
  }
  #query(sql: string, args: unknown[]): void {
    const done = args.pop() as Done;
    const values =
      args[0] && typeof args[0] === 'object'
        ? Object.fromEntries(Object.entries(args[0]).map(([key, value]) => [/^\d+$/.test(key) ? key : key, value]))
        : undefined;
    try {
      const rows = this.#db.all(sql, values as never);
      const [{ id, n }] = this.#db.all('select last_insert_rowid() as id, changes() as n') as [{ id: number; n: number }];
      setImmediate(() => done.call({ lastID: id, changes: n }, null, rows));
    } catch (error) {
      setImmediate(() => done.call({}, error as Error));
    }
  }
  serialize(work: () => void): void {
    work();
  }
  run(sql: string, ...args: unknown[]): void {
    if (args.length) this.#query(sql, args);
    else this.#db.exec(sql);
  }
  all(sql: string, ...args: unknown[]): void {
    this.#query(sql, args);
  }
  close(done: (error: null) => void): void {
    this.#db.close();
    done(null);
  }
}

export async function run(): Promise<unknown> {
  const db = new Sequelize({
    dialect: 'sqlite',
    logging: false,
    dialectModule: { Database, OPEN_READWRITE: 2, OPEN_CREATE: 4, OPEN_FULLMUTEX: 65536 },
  });
  const User = db.define('User', { name: DataTypes.STRING }, { timestamps: false });
  const Post = db.define('Post', { title: DataTypes.STRING }, { timestamps: false });
  User.hasMany(Post);
  await db.sync();
  const user = await User.create({ name: 'a' });
  await (user as unknown as { createPost(values: object): Promise<unknown> }).createPost({ title: 'first' });
  const found = await User.findAll({ where: { name: { [Op.like]: 'a%' } }, include: [Post] });
  const plain = found.map((one) => one.get({ plain: true }));
  await db.close();
  return plain;
}
