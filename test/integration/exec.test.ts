/** exec and $: what they give, in every mode. */
import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type ExecResult, MitosError, self } from 'mitos';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

type ExecError = MitosError & ExecResult;

async function linesOf(lines: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = [];
  for await (const line of lines) list.push(line);
  return list;
}

inEveryMode('exec gives outputs as they were printed, and how the program ended', async ({ open }) => {
  const context = await open();
  assert.deepEqual(await context.exec(['sh', '-c', 'echo out; echo err >&2']), {
    stdout: 'out\n',
    stderr: 'err\n',
    exitCode: 0,
    signal: null,
  });
  assert.deepEqual(await context.exec('printf "%s" "$A" | tr a-z A-Z', { env: { A: 'grün' } }), {
    stdout: 'GRüN',
    stderr: '',
    exitCode: 0,
    signal: null,
  });
  assert.deepEqual(await context.$`printf '%s,' ${["it's", 'a b', '']} ${'$HOME'}`, {
    stdout: "it's,a b,,$HOME,",
    stderr: '',
    exitCode: 0,
    signal: null,
  });
  const { stdout } = await context.exec(['pwd'], { cwd: tmpdir() });
  assert.equal(stdout, `${realpathSync(tmpdir())}\n`);
  const bytes = await context.exec(['printf', '\\377\\000'], { encoding: 'buffer' });
  assert.deepEqual([...bytes.stdout], [255, 0]);
});

inEveryMode('exec rejects when a program fails, with what it printed, unless nothrow is set', async ({ open }) => {
  const context = await open();
  const error = (await rejection(context.exec('echo some; printf "bad\\033[31m\\n" >&2; exit 3'))) as ExecError;
  assert.ok(MitosError.is(error));
  assert.equal(error.code, 'ERR_MITOS_EXEC');
  assert.deepEqual([error.stdout, error.stderr, error.exitCode, error.signal], ['some\n', 'bad\x1b[31m\n', 3, null]);
  assert.equal(error.message, `Cannot run "echo" in "${context.name}": it exited with code 3; last stderr: "bad\\u001b[31m"`);
  assert.deepEqual(error.via, [context.name]);
  assert.match(String(error.stack), /exec\.test\.js/);
  assert.equal((await context.exec(['false'], { nothrow: true })).exitCode, 1);
  const killed = (await rejection(context.exec('kill -9 $$'))) as ExecError;
  assert.deepEqual([killed.exitCode, killed.signal], [null, 'SIGKILL']);
  assert.equal((await context.exec('kill -9 $$', { nothrow: true })).signal, 'SIGKILL');
});

inEveryMode('exec says of a program that cannot be run why', async ({ open }) => {
  const context = await open();
  const missing = (await rejection(context.exec(['no-such-program', 'secret']))) as ExecError;
  assert.deepEqual([missing.code, missing.exitCode], ['ERR_MITOS_EXEC', 127]);
  assert.match(missing.message, /"no-such-program".*no such program/);
  assert.doesNotMatch(missing.message, /secret/);
  assert.equal((await context.exec(['no-such-program'], { nothrow: true })).exitCode, 127);
  const clean = { env: { PATH: '/usr/bin:/bin' } };
  assert.equal(((await rejection(context.exec('no-such-program', clean))) as ExecError).exitCode, 127);
  assert.equal(((await rejection(context.exec(['/etc/passwd']))) as ExecError).exitCode, 126);
  const lost = (await rejection(context.exec(['true'], { cwd: '/no/such/place', nothrow: true }))) as ExecError;
  assert.deepEqual([lost.code, lost.exitCode], ['ERR_MITOS_EXEC', null]);
  assert.match(lost.message, /no directory "\/no\/such\/place"/);
});

inEveryMode('stdout and stderr flow while the program runs, and stdin can be answered', async ({ open }) => {
  const context = await open();
  const program = context.exec('echo ready; echo note >&2; read a; echo "got $a"; read b; echo "end $b"');
  const { stdin } = program;
  const notes = linesOf(program.stderr);
  const seen: string[] = [];
  for await (const line of program.stdout) {
    seen.push(line);
    if (line === 'ready') stdin.write('one\n');
    if (line === 'got one') stdin.end('two\n');
  }
  assert.deepEqual(seen, ['ready', 'got one', 'end two']);
  assert.deepEqual(await notes, ['note']);
  assert.deepEqual(await program, { stdout: 'ready\ngot one\nend two\n', stderr: 'note\n', exitCode: 0, signal: null });
});

inEveryMode('stdin takes text, bytes and iterables, and is empty otherwise', async ({ open }) => {
  const context = await open();
  async function* pieces(): AsyncGenerator<string | Uint8Array> {
    yield 'a';
    yield new Uint8Array([98]);
  }
  for (const stdin of ['ab', Buffer.from('ab'), pieces(), new Blob(['ab']).stream() as ReadableStream]) {
    assert.equal((await context.exec(['cat'], { stdin })).stdout, 'ab');
  }
  assert.equal((await context.exec(['cat'])).stdout, '');
  const big = Buffer.alloc(3_000_000, 'x');
  assert.equal((await context.exec(['wc', '-c'], { stdin: big })).stdout.trim(), '3000000');
  assert.equal((await context.exec(['true'], { stdin: big })).exitCode, 0);
});

inEveryMode('an input that fails stops the program, and its error is the one that is told', async ({ open }) => {
  const context = await open();
  async function* failing(): AsyncGenerator<string> {
    yield 'a';
    throw new Error('the source broke');
  }
  const error = await rejection(context.exec(['cat'], { stdin: failing() }));
  assert.equal(error.message, 'the source broke');
});

inEveryMode('an input without end is closed when the program has ended', async ({ open }) => {
  const context = await open();
  let close = (): void => {};
  const closed = new Promise<void>((resolve) => (close = resolve));
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) yield 'x\n'.repeat(1000);
    } finally {
      close();
    }
  }
  assert.equal((await context.exec(['head', '-n', '1'], { stdin: endless() })).stdout, 'x\n');
  await closed;
});

inEveryMode('a program that prints too much is stopped', async ({ open }) => {
  const context = await open();
  const error = await rejection(context.exec(['yes'], { maxBufferBytes: 1000 }));
  assert.equal(error.code, 'ERR_MITOS_LIMIT');
  assert.match(error.message, /more than 1000 bytes to stdout/);
  const touched = context.exec(['yes'], { maxBufferBytes: 1000 });
  assert.ok(touched.stdout);
  assert.equal((await rejection(touched)).code, 'ERR_MITOS_LIMIT');
});

inEveryMode('an output that is read may be longer than what is kept, and a slow reader holds the program back', async ({ open }) => {
  const context = await open();
  const program = context.exec('i=0; while [ $i -lt 200 ]; do printf "%1000d\\n" $i; i=$((i+1)); done; yes 123456789 | head -c 3000000', {
    maxBufferBytes: 100_000,
  });
  let bytes = 0;
  for await (const line of program.stdout) bytes += line.length + 1;
  assert.equal(bytes, 200 * 1001 + 3_000_000);
  assert.equal((await program).stdout, '');
});

inEveryMode('leaving the loop ends a program that goes on printing', async ({ open }) => {
  const context = await open();
  const program = context.exec(['yes']);
  for await (const line of program.stdout) {
    assert.equal(line, 'y');
    break;
  }
  assert.equal((await rejection(program)).code, 'ERR_MITOS_EXEC');
});

inEveryMode('outputs taken late are those of the result', async ({ open }) => {
  const context = await open();
  const program = context.exec('echo a; echo b');
  await program;
  assert.deepEqual(await linesOf(program.stdout), ['a', 'b']);
  assert.deepEqual(await linesOf(program.stdout), ['a', 'b']);
  assert.deepEqual(await linesOf(program.stderr), []);
  assert.throws(() => program.stdin, TypeError);
});

inEveryMode('a failure of a program that is read live is told to whoever awaits it, and to nobody else', async ({ open }) => {
  const context = await open();
  const program = context.exec('echo a; exit 5');
  assert.deepEqual(await linesOf(program.stdout), ['a']);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(((await rejection(program)) as ExecError).exitCode, 5);
});

inEveryMode('a descendant that holds the outputs open does not keep exec waiting', async ({ open }) => {
  const context = await open();
  const began = performance.now();
  const { stdout } = await context.exec('sleep 20 & echo $!');
  assert.ok(performance.now() - began < 5000);
  process.kill(Number(stdout));
});

inEveryMode(
  'a program has nothing but descriptors 0, 1 and 2',
  async ({ open }) => {
    const context = await open();
    const { stdout } = await context.exec(['ls', '/proc/self/fd']);
    assert.equal(stdout, '0\n1\n2\n3\n', '3 is the directory that ls has open');
  },
  { except: 'worker' },
);

inEveryMode('exec works on a context that is still starting, and in a function on its own context', async ({ open }) => {
  const promise = open();
  assert.equal((await promise.exec(['echo', 'early'])).stdout, 'early\n');
  const live = open();
  assert.deepEqual(await linesOf(live.exec(['echo', 'early']).stdout), ['early']);
  const context = await promise;
  const inside = await context.call(async () => {
    const own = self().context;
    const lines: string[] = [];
    for await (const line of own.exec('echo 1; echo 2').stdout) lines.push(line);
    return [lines, await own.$`echo ${'three'}`];
  });
  assert.deepEqual(inside, [['1', '2'], { stdout: 'three\n', stderr: '', exitCode: 0, signal: null }]);
});

withRouter('exec runs in the master itself, without a context', async ({ router }) => {
  assert.equal((await router.self.exec(['echo', 'here'])).stdout, 'here\n');
  assert.deepEqual(await linesOf(router.exec('echo 1; echo 2').stdout), ['1', '2']);
  const program = router.exec(['cat']);
  program.stdin.end('text');
  assert.equal((await program).stdout, 'text');
  const error = (await rejection(router.exec(['false']))) as ExecError;
  assert.equal(error.message, 'Cannot run "false": it exited with code 1');
});

withRouter('a plain exec is one round trip: two messages after the first', async ({ router }) => {
  const context = await router.local();
  await context.exec(['true']);
  const before = router.stats();
  await context.exec(['true']);
  const after = router.stats();
  assert.deepEqual([after.framesOut - before.framesOut, after.framesIn - before.framesIn], [1, 1]);
});

withRouter('wrong arguments throw at once', async ({ router }) => {
  assert.throws(() => router.exec([]), TypeError);
  assert.throws(() => router.exec(['ls'], { cwd: 5 as never }), TypeError);
  assert.throws(() => router.exec(['ls'], { timeoutMs: -1 }), RangeError);
  assert.throws(() => router.$`echo ${undefined}`, TypeError);
  const program = router.exec(['cat'], { stdin: 'a' });
  assert.throws(() => program.stdin, TypeError);
  assert.equal((await program).stdout, 'a');
});
