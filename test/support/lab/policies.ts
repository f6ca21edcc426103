/** What sudo and doas allow, for the time of a test. */
import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Journal } from './journal.ts';
import { run } from './process.ts';
import type { Fixture } from './types.ts';
import { uniqueName } from './users.ts';

/** @see Lab.sudoers */
export function addSudoers(journal: Journal, text: string): Fixture {
  const name = uniqueName();
  const draft = join(journal.directory, `${name}.sudoers`);
  writeFileSync(draft, `${text.trimEnd()}\n`, { mode: 0o440 });
  run(['visudo', '-cqf', draft]);
  const file = join('/etc/sudoers.d', name);
  const undo = journal.add('rm', '-f', file, `${file}.tmp`);
  // sudo ignores names with a dot; the whole file appears at once.
  copyFileSync(draft, `${file}.tmp`);
  renameSync(`${file}.tmp`, file);
  return fixture(undo);
}

const DOAS = '/etc/doas.conf';

/** `sh` with the machine's only doas.conf locked against other test files; a lock older than a minute is one that was forgotten. */
const LOCKED =
  'l=/etc/.mtlab-doas; i=0; until mkdir $l 2>/dev/null; do find $l -maxdepth 0 -mmin +1 -exec rmdir {} \\; 2>/dev/null;' +
  ' i=$((i+1)); [ $i -lt 250 ] || exit 1; sleep 0.1; done; trap "rmdir $l" EXIT; umask 277; f=$1; m=$2; t=$f.$m;';

/** @see Lab.doas */
export function addDoasLines(journal: Journal, lines: string): Fixture {
  const mark = uniqueName();
  const draft = join(journal.directory, `${mark}.doas`);
  writeFileSync(draft, `# begin ${mark}\n${lines.trim()}\n# end ${mark}\n`, { mode: 0o400 });
  run(['doas', '-C', draft]);
  const removal = `${LOCKED} [ -f $f ] || exit 0; sed "/^# begin $m/,/^# end $m/d" $f >$t; if [ -s $t ]; then mv -f $t $f; else rm -f $t $f; fi`;
  const undo = journal.add('sh', '-c', removal, 'sh', DOAS, mark);
  run(['sh', '-c', `${LOCKED} { cat $f 2>/dev/null; cat "$3"; } >$t && mv -f $t $f`, 'sh', DOAS, mark, draft]);
  return fixture(undo);
}

function fixture(undo: () => void): Fixture {
  const close = async (): Promise<void> => undo();
  return { close, [Symbol.asyncDispose]: close };
}
