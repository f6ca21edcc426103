// Prints, as JSON, the names of all that this Node offers to programs: globals, builtin modules, what is on them and on their classes. Runs on any Node from 12.22 on.
'use strict';
const names = new Set();
const inherited = new Set();
const SKIP = /^(constructor|toString|prototype|length|name|caller|arguments|super_|default|_.*|.*\s.*|\d.*)$/;
/** Constants in capitals are never called. */
const isName = (key) => typeof key === 'string' && !SKIP.test(key) && /^[A-Za-z$][\w$]*$/.test(key) && !/^[A-Z][A-Z\d_]+$/.test(key);
const isGlobalName = (key) => isName(key) || /^(URL|JSON)$/.test(key);
/** Objects that hold data of this process, not API. */
const isData = (path) =>
  /(^|\.)(ok|lcov|globalAgent|asyncWrapProviders|env|argv|execArgv|versions|release|config|features|constants|mainModule|stdin|stdout|stderr|memory|report|process|global|globalThis|GLOBAL|root|window|self|allowedNodeEnvironmentFlags|wasm|codes|errno|signals|METHODS|STATUS_CODES|cache|builtinModules|globalPaths|repositories|webidl)$/.test(
    path,
  );

function own(value) {
  const found = Object.getOwnPropertyNames(value);
  // What an object has from a class of Node's own counts as its own: console, performance, crypto.
  for (let at = Object.getPrototypeOf(value); at && typeof value === 'object' && at !== Object.prototype; at = Object.getPrototypeOf(at))
    found.push(...Object.getOwnPropertyNames(at));
  return new Set(found.filter(isName));
}

function noteInherited(from, path) {
  for (let at = from; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const key of Object.getOwnPropertyNames(at).filter(isName)) inherited.add(`${path}.${key}`);
}

function visit(value, path, depth, seen) {
  if (
    (typeof value !== 'object' && typeof value !== 'function') ||
    value === null ||
    Array.isArray(value) ||
    seen.includes(value) ||
    isData(path)
  )
    return;
  const inside = seen.concat(value);
  // What is inherited is told apart: a method may move up from one version to the next.
  if (typeof value === 'function') noteInherited(Object.getPrototypeOf(value), path);
  for (const key of own(value)) {
    const name = `${path}.${key}`;
    names.add(name);
    if (depth === 0) continue;
    let next;
    try {
      next = value[key];
    } catch {
      continue;
    }
    // What functions carry is not API, what classes and objects do is.
    if (typeof next !== 'function' || /^[A-Z]/.test(key)) visit(next, name, depth - 1, inside);
  }
  if (typeof value === 'function' && value.prototype && typeof value.prototype === 'object') {
    for (const key of Object.getOwnPropertyNames(value.prototype).filter(isName)) names.add(`${path}.prototype.${key}`);
    noteInherited(Object.getPrototypeOf(value.prototype), `${path}.prototype`);
  }
}

process.removeAllListeners('warning');
process.on('warning', () => {});
for (const key of Object.getOwnPropertyNames(globalThis).filter(isGlobalName)) {
  names.add(key);
  if (isData(key) && key !== 'process') continue;
  let value;
  try {
    value = globalThis[key];
  } catch {
    continue;
  }
  if (key === 'process') for (const name of own(value)) names.add(`process.${name}`);
  else visit(value, key, 1, []);
}
visit(Object.getPrototypeOf(Int8Array), 'TypedArray', 0, []);

const { builtinModules } = require('module');
const modules = new Set(builtinModules.map((id) => id.replace(/^node:/, '')));
for (const id of ['test', 'test/reporters', 'sea', 'sqlite', 'quic', 'ffi', 'vfs']) modules.add(id);
for (const id of modules) {
  if (id.startsWith('_') || /^(v8|node-inspect|sys$|internal)\/|^sys$|^constants$|^inspector|^path\/|^punycode|^repl$/.test(id)) continue;
  let exports;
  for (const spelling of [id, `node:${id}`]) {
    try {
      exports = require(spelling);
      names.add(`node:${id}`);
      break;
    } catch {
      // not on this Node
    }
  }
  if (id !== 'process' && id !== 'console') visit(exports, `node:${id}`, 1, []);
}
process.stdout.write(JSON.stringify({ own: [...names], inherited: [...inherited] }), () => process.exit(0));
