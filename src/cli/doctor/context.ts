/** What a program finds in a context that was reached. */
import { type Context, NODE_PLACES } from '../../index.ts';
import { formatBytes, formatMs } from '../terminal.ts';
import { collect, type Fact, fact, firstLine, type Place, run } from './facts.ts';
import { examineSurroundings, readClock, type Surroundings, startThread } from './functions.ts';

const CALL_TIMEOUT_MS = 5000;
/** Calls by which latency and clock are measured. */
const CALLS = 5;
/** A clock that is further off is worth a word, in milliseconds. */
const SKEW_MS = 1000;
/** Less is worth a word. */
const LITTLE_MEMORY = 128 * 1024 * 1024;

/** How long it took to get somewhere, in milliseconds. */
export interface Times {
  /** From the order to the answer of the new context. */
  connectMs: number;
  /** How much of it passed before Node was started there; null for threads, where none is. */
  beforeNodeMs: number | null;
  /** A call for which nothing has to be sent. */
  callMs: number;
  /** The first call of a function of this program, which is sent with it. */
  firstFunctionMs: number;
}

/** Makes the first calls to a context that is up, `connectMs` after it was ordered at `startedAt`. */
export async function measureTimes(context: Context, connectMs: number, startedAt: number): Promise<Times> {
  const bounded = context.with({ timeoutMs: CALL_TIMEOUT_MS });
  // The very first call has this program make ready for calls.
  await bounded.call(process.uptime);
  const callAt = performance.now();
  const uptime = await bounded.call(process.uptime);
  const callMs = performance.now() - callAt;
  const beforeNodeMs = callAt + callMs / 2 - uptime * 1000 - startedAt;
  const functionAt = performance.now();
  await bounded.call(readClock);
  const firstFunctionMs = performance.now() - functionAt;
  return { connectMs, callMs, firstFunctionMs, beforeNodeMs: beforeNodeMs > 0 && beforeNodeMs < connectMs ? beforeNodeMs : null };
}

/** Times as facts. */
export function timeFacts(times: Times): Fact[] {
  const { connectMs, beforeNodeMs, callMs, firstFunctionMs } = times;
  const split =
    beforeNodeMs === null
      ? ''
      : ` (${formatMs(beforeNodeMs)} until Node was started, ${formatMs(connectMs - beforeNodeMs)} until it was up)`;
  const calls = `a call takes ${formatMs(callMs)}, a first function ${formatMs(firstFunctionMs)}`;
  return [fact('ok', 'connected', `in ${formatMs(connectMs)}${split}; ${calls}`, { data: { ...times } })];
}

/** One line about a context on the way. */
export async function examineBriefly(context: Context): Promise<Fact[]> {
  const found = await context.with({ timeoutMs: CALL_TIMEOUT_MS }).call(examineSurroundings);
  return surroundingFacts(found).slice(0, 1);
}

/** All about the context at the end. */
export async function examineContext(context: Context): Promise<Fact[]> {
  const facts = await collect([
    ['machine', context.with({ timeoutMs: CALL_TIMEOUT_MS }).call(examineSurroundings).then(surroundingFacts)],
    ['Node', candidates(context)],
    ['terminal', terminal(context)],
    ['threads', threads(context)],
  ]);
  // Alone, as everything else takes time there.
  return [...facts, ...(await collect([['latency', latency(context)]]))];
}

function surroundingFacts(found: Surroundings): Fact[] {
  const { user, uid, hostname, loginShell, home, cwd, system, platform, arch, libc, node, execPath } = found;
  const { freeMemoryBytes, totalMemoryBytes, sharedMemory, openFilesLimit } = found;
  const memory = `${formatBytes(freeMemoryBytes)} of ${formatBytes(totalMemoryBytes)} free`;
  const facts = [
    fact('ok', 'user', `${user} (${uid}) on ${hostname}, shell ${loginShell ?? 'unknown'}, home ${home}, in ${cwd}`, {
      data: { user, uid, hostname, loginShell, home, cwd },
    }),
    fact('ok', 'machine', `${system}, ${platform} ${arch}${libc === null ? '' : `, ${libc}`}`, { data: { system, platform, arch, libc } }),
    fact('ok', 'Node', `${node} (${execPath}) runs the context`, { data: { node, execPath } }),
    fact(freeMemoryBytes < LITTLE_MEMORY ? 'warning' : 'ok', 'memory', memory, { data: { freeMemoryBytes, totalMemoryBytes } }),
  ];
  if (openFilesLimit !== null && Number(openFilesLimit) < 256)
    facts.push(
      fact('warning', 'open files', `at most ${openFilesLimit}`, { hint: 'raise the limit (ulimit -n)', data: { openFilesLimit } }),
    );
  if (sharedMemory) {
    const { isWritable, isExecutable, freeBytes } = sharedMemory;
    const state = `${isWritable ? '' : 'not '}writable, ${isExecutable ? 'programs may run there' : 'mounted noexec'}${freeBytes === null ? '' : `, ${formatBytes(freeBytes)} free`}`;
    facts.push(fact('note', '/dev/shm', state, { data: { ...sharedMemory } }));
  } else facts.push(fact('note', '/dev/shm', 'there is none'));
  return facts;
}

/** Where a Node may be: as the first stage looks for one. */
const CANDIDATES: string =
  `for n in \`command -v node\` \`command -v nodejs\` ${NODE_PLACES};do [ -d "$n" ]&&n=$n/bin/node;` +
  '[ -f "$n" ]&&[ -x "$n" ]&&echo "$n `"$n" -v 2>&1 </dev/null`";done;:';

async function candidates(context: Place): Promise<Fact[]> {
  const { stdout, problem } = await run(context, ['sh', '-c', CANDIDATES]);
  if (problem !== undefined) return [fact('note', 'Nodes', `could not be listed: ${problem}`)];
  const found = [...new Set(stdout.trim().split('\n').filter(Boolean))];
  const text = found.map((line) => line.replace(/^(.*) (\S+)$/, '$1 $2'));
  const data = { found: found.map((line) => ({ path: line.replace(/ \S*$/, ''), version: line.replace(/^.* /, '') })) };
  return [fact('ok', 'Nodes', text.length > 0 ? text.join(', ') : 'none in the PATH, nor in the usual places', { data })];
}

async function terminal(context: Place): Promise<Fact[]> {
  const { exitCode, stdout } = await run(context, ['sh', '-c', 'command -v script']);
  if (exitCode === 0)
    return [fact('ok', 'terminal', `script(1) is there (${firstLine(stdout)}): programs that insist on a terminal can be used`)];
  return [
    fact('note', 'terminal', 'no script(1): su, doas, and sudo with requiretty cannot be asked from here', {
      hint: 'install util-linux (bsdutils) if they are needed',
    }),
  ];
}

async function threads(context: Context): Promise<Fact[]> {
  try {
    const ms = await context.with({ timeoutMs: CALL_TIMEOUT_MS }).call(startThread);
    return [fact('ok', 'threads', `one started and ended within ${ms} ms`, { data: { ms } })];
  } catch (error) {
    return [
      fact('warning', 'threads', `none can be started: ${(error as Error).message}`, {
        hint: 'use the option ?threadless=true, and look at limits of memory and processes',
      }),
    ];
  }
}

async function latency(context: Context): Promise<Fact[]> {
  const calls: { ms: number; skewMs: number }[] = [];
  for (let i = 0; i < CALLS; i++) {
    const sentAt = Date.now();
    const startedAt = performance.now();
    const time = await context.with({ timeoutMs: CALL_TIMEOUT_MS }).call(readClock);
    const ms = performance.now() - startedAt;
    calls.push({ ms, skewMs: time - (sentAt + ms / 2) });
  }
  calls.sort((a, b) => a.ms - b.ms);
  const [best, middle] = [calls[0], calls[CALLS >> 1]] as [{ ms: number; skewMs: number }, { ms: number }];
  const skewMs = Math.round(best.skewMs);
  const isOff = Math.abs(skewMs) > SKEW_MS + best.ms;
  const off = isOff ? `${formatMs(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead of' : 'behind'} this one` : 'the same as here';
  return [
    fact('ok', 'latency', `${formatMs(best.ms)} at best, ${formatMs(middle.ms)} in the middle of ${CALLS} calls`, {
      data: { minMs: best.ms, medianMs: middle.ms },
    }),
    fact(isOff ? 'warning' : 'ok', 'clock', off, {
      data: { skewMs },
      ...(isOff ? { hint: 'set the clock: certificates and time stamps depend on it' } : {}),
    }),
  ];
}
