import sqlite from 'node-sqlite3-wasm';

export const about = {
  package: 'node-sqlite3-wasm',
  covers: 'WebAssembly from a file of its own; a database',
  asks: 'the file is read on demand',
  requests: 1,
};

export function run(): unknown {
  const db = new sqlite.Database(':memory:');
  db.exec('create table t (id integer primary key, name text, data blob)');
  db.run('insert into t (name, data) values (?, ?), (?, ?)', ['a', new Uint8Array([1, 2]), 'b', null]);
  const rows = db.all('select id, name, length(data) as n from t order by id desc');
  db.close();
  return rows;
}
