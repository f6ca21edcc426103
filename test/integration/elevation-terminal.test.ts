/** The terminal that a program runs on stays as it is: tools get one of their own, and Ctrl-C while they ask leaves nothing. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { testWithOracle } from '#src/testing/index.js';
import { isAlive, within } from '../fixtures/programs/harness.js';
import { script } from '../support/elevated.js';
import { needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const PROGRAM = fileURLToPath(new URL('../fixtures/programs/asks.js', import.meta.url));

/** Tells whether there is a terminal to be had, asks there or on stderr, switches echo off as such tools do, and waits. */
const ASKS = `
tty >$FOLDER/tty </dev/tty 2>&1
stty -echo </dev/tty 2>/dev/null
echo $$ >$FOLDER/pid
exec sleep 1000`;

for (const kind of ['sudo', 'run0']) {
  testWithOracle(`Ctrl-C while ${kind} asks leaves the terminal as it was, and no process`, needs('root'), async ({ signal }) => {
    const tool = script(lab, kind, ASKS);
    const out = script(
      lab,
      'shell',
      `trap : INT; stty -a >$FOLDER/before; "$@"; echo $? >$FOLDER/status; stty -a >$FOLDER/after; tty >$FOLDER/tty`,
    );
    const command = [out.path, process.execPath, PROGRAM, kind, tool.path].join(' ');
    const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, SHELL: '/bin/sh' },
    });
    signal.addEventListener('abort', () => terminal.kill('SIGKILL'));
    let shown = '';
    terminal.stdout.on('data', (chunk) => (shown += chunk));
    const closed = new Promise((resolve) => terminal.on('close', resolve));
    await within(10_000, 'the tool asks', () => tool.read('pid').endsWith('\n') || shown);
    terminal.stdin.write('\x03');
    await closed;
    assert.equal(out.read('status'), '130\n', shown);
    assert.notEqual(out.read('before'), '');
    assert.equal(out.read('after'), out.read('before'));
    // Its terminal, if it has one, is not the program's.
    assert.notEqual(tool.read('tty'), out.read('tty'));
    await within(2000, 'the tool is gone', () => !isAlive(Number(tool.read('pid'))));
  });
}
