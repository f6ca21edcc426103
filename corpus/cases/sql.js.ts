import initSqlJs from 'sql.js';

export const about = {
  package: 'sql.js',
  covers: 'WebAssembly from a file of its own (Emscripten)',
  asks: 'the file is read on demand',
  requests: 1,
};

export async function run(): Promise<unknown> {
  const SQL = await initSqlJs();
  const db = new SQL.Database();
  db.run('create table t (a int, b text)');
  db.run('insert into t values (1, ?), (2, ?)', ['x', 'y']);
  const rows = db.exec('select b, a * 2 as c from t order by a desc');
  const size = db.export().length;
  db.close();
  return { rows, size };
}
