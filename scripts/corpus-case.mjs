/**
 * Runs one case of the corpus in a process of its own, in a child first and then here, and prints what was seen as one line of JSON on descriptor 3.
 * The child comes first: what a case requires only when it runs is then not yet loaded by the master, as in a real program.
 *
 *   node scripts/corpus-case.mjs <name> <file> [command that hides the project]
 *   node scripts/corpus-case.mjs --graph <name> <file>: only the time that the master takes for its modules
 *
 * A case exports `run`, and `about`: `package` (whose version is shown), `covers` (what it stands for), `requests` (round trips beyond the call that
 * are allowed) with `asks` (why they cannot be foreseen), `refused` (the code of the error that a child has to answer with), `differs` (`child`: what
 * the child gives instead, `why`: why that is right).
 */
import { readFileSync, writeSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';
import { packBatches } from '../dist/core/module-pack.js';
import { Router } from '../dist/index.js';
import { strip } from '../dist/master/strip.js';
import { root } from './lib/project.mjs';

/** What goes over the wire, to the compressed source; where that is little, names and links of its modules may take this much more. */
const MAX_RATIO = 1.1;
const TABLE_BYTES = 2048;

const isGraph = process.argv[2] === '--graph';
const [name, file, hide = ''] = process.argv.slice(isGraph ? 3 : 2);
const { about, run } = await import(pathToFileURL(file).href);
if (isGraph) await graphOnly();
const router = new Router({ logLevel: 'silent' });
const urls = new Set();
const questions = [];
router.on('module', ({ url }) => void urls.add(url));
noteQuestions(router.runtime.graph);
const child = startChild();
await child.call(warm);
const isHidden = await child.exec(['ls', `${root}/package.json`]).then(
  () => false,
  () => true,
);
urls.clear();
questions.length = 0;
const before = router.stats();
const far = await settle(() => child.call(run));
const after = router.stats();
await router.close();
const near = about.refused ? { ms: 0 } : await settle(run);
const sent = [...urls].filter((url) => url.startsWith('file:') && !url.endsWith('.node'));
const requests = after.requests - before.requests;
const sources = sourcesOf(sent);
const wireBytes = after.moduleBytes - before.moduleBytes;
const row = {
  name,
  ...about,
  modules: sent.length,
  ...sources,
  wireBytes,
  requests,
  questions,
  childMs: far.ms,
  localMs: near.ms,
  isHidden,
  ...judge(requests),
};
writeSync(3, JSON.stringify(row));
process.exit(0);

/** Time for the modules of the function, found and made ready to be sent, and then for packing them; all of it is kept for the next run. */
async function graphOnly() {
  const router = new Router({ logLevel: 'silent' });
  const { graph } = router.runtime;
  const [modules, graphMs] = await timed(() => graph.closureOf(graph.identify(run)));
  const [, packMs] = await timed(() => packBatches(modules, 'usual', graph.compress));
  const [, keepMs] = await timed(() => graph.flush());
  await router.close();
  writeSync(3, JSON.stringify({ name, graphMs, packMs, keepMs }));
  process.exit(0);
}

/** Called first: what a context needs of ours to read files and to take values that are rare is then there, and not in the figures. */
function warm() {
  return new Map([[1, import.meta.url]]);
}

function noteQuestions(graph) {
  const answer = graph.answer.bind(graph);
  graph.answer = (query) => {
    questions.push('specifier' in query ? query.specifier : String(query.id));
    return answer(query);
  };
}

/** A child that cannot see the project's files, where the system lets us hide them. */
function startChild() {
  if (!hide) return router.local({ cwd: '/' });
  const script = `mount -t tmpfs none ${JSON.stringify(root)} && cd / && exec "$@"`;
  return router.command({ argv: [...hide.split(' '), 'sh', '-c', script, 'sh'] });
}

/** Sources as they are on disk (without types), and the bytes of all of them together, compressed as the wire does it. */
function sourcesOf(list) {
  const texts = list.map((url) => {
    const path = fileURLToPath(url);
    const text = readFileSync(path, 'utf8');
    return Buffer.from(/\.[cm]?tsx?$/.test(path) ? strip(path, text, false).code : text);
  });
  const all = Buffer.concat(texts);
  const quality = all.length < 8192 ? 11 : all.length < 4194304 ? 7 : 5;
  const params = { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: all.length };
  return { sourceBytes: all.length, compressedBytes: brotliCompressSync(all, { params }).length };
}

/** Time of the processor: other programs do not change it. */
async function timed(work) {
  const start = process.cpuUsage();
  const value = await work();
  const { user, system } = process.cpuUsage(start);
  return [value, (user + system) / 1000];
}

async function settle(work) {
  const start = performance.now();
  try {
    const value = JSON.parse(JSON.stringify(await work()) ?? 'null');
    return { value, ms: performance.now() - start };
  } catch (error) {
    return { error, ms: performance.now() - start };
  }
}

function judge(count) {
  const failed = (detail) => ({ verdict: 'FAILED', detail });
  if (about.refused) {
    const { code, message = '' } = far.error ?? {};
    const line = message.split('\n').find((one) => one.includes('Cannot send native addon'));
    if (line && (code === about.refused || message.includes(`${about.refused}: `)))
      return { verdict: 'refused as documented', detail: line };
    return failed(`${about.refused} was expected, not ${far.error ? far.error.stack : JSON.stringify(far.value)}`);
  }
  if (near.error) return failed(`it fails here: ${near.error.stack}`);
  if (far.error) return failed(`${far.error.code ?? ''} ${far.error.stack}`);
  if (sent.length === 0) return failed('no module was sent');
  if (count > (about.requests ?? 0))
    return failed(`${count} round trips, ${about.requests ?? 0} are explained; asked: ${questions.join(', ')}`);
  if (wireBytes > Math.max(sources.compressedBytes * MAX_RATIO, sources.compressedBytes + TABLE_BYTES))
    return failed(`${wireBytes} bytes on the wire, for ${sources.compressedBytes} of compressed source`);
  if (isDeepStrictEqual(far.value, near.value)) return { verdict: 'same' };
  if (about.differs && isDeepStrictEqual(far.value, about.differs.child))
    return { verdict: 'documented difference', detail: about.differs.why };
  return failed(`child ${JSON.stringify(far.value)}\nhere  ${JSON.stringify(near.value)}`);
}
