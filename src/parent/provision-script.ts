/**
 * What the shell of a first stage that found no Node is told, line by line: each line is a whole command, and stdin is read byte by byte, so that
 * what follows a line is for what the line runs. What it says are lines that begin with the marker.
 *
 * POSIX `sh`, as dash, bash and the ash of busybox have it. There are two ways to a Node that has no name in any directory:
 * - `memfd`: a file in memory, made by Python or Perl, which hands it to a new shell as descriptor 7;
 * - `file`: a file in a new directory that only this user can enter, opened as descriptor 7 and removed at once, before anything is in it.
 * Either is tried out with a script of two lines first, so it is known what works before anything large is sent.
 */
import type { RuntimeOffer } from '../core/runtime-order.ts';
import { OWN_PATH } from './first-stage.ts';
import { shellWord } from './quote.ts';

/** A file on disk is made only where there is so much room, in KB. */
const ROOM_KB = 160_000;

/** Reads lines and runs them. The line that begins with the marker has no backslash: it is read by a plain `read`. */
const LOOP = 'while read -r l;do eval "$l";done;exit';

/** Says a line, whatever is in it. */
const SAY = 'say() { set -f;echo $0 $*;set +f;}';

/** The text that a way is tried out with: it ends with 7. */
const TRIAL = "'#!/bin/sh\\nexit 7\\n'";

/** Numbers of memfd_create, by what uname says of the machine. */
const MEMFD = { x86_64: 319, aarch64: 279, armv7l: 385, armv8l: 385, armv6l: 385, ppc64le: 360, s390x: 350, riscv64: 279, i686: 356 };

/** Makes a file in memory, allowed to be sealed and to be run (18; older kernels do not know 16), and becomes its arguments with it as descriptor 7. */
const PYTHON = `import os,sys
def m(k):
    try: return os.memfd_create("mitos",k)
    except AttributeError:
        import ctypes
        c=ctypes.CDLL(None,use_errno=True)
        r=c.syscall(${JSON.stringify(MEMFD)}[os.uname()[4]],b"mitos",k)
        if r<0: raise OSError(ctypes.get_errno(),os.strerror(ctypes.get_errno()))
        return r
try:
    try: f=m(18)
    except OSError: f=m(2)
    os.dup2(f,7)
    if f!=7: os.close(f)
    os.execvp(sys.argv[1],sys.argv[1:])
except Exception as e:
    sys.exit(str(e) or repr(e))
`;

const PERL =
  `use POSIX;$s="mitos";%n=(${Object.entries(MEMFD).join().replace(/,/g, ',')});$n=$n{(POSIX::uname())[4]}or die"this machine is not known";` +
  '$f=syscall($n,$s,18);$f=syscall($n,$s,2)if$f<0;die"memfd_create: $!"if$f<0;POSIX::dup2($f,7);POSIX::close($f)if$f!=7;exec@ARGV;die"$!"';

/** Programs that can make a file in memory: how each is told to, and how it seals descriptor 7. */
export const MAKERS: Readonly<Record<string, { make: string; seal: string }>> = {
  python3: { make: python('python3', PYTHON), seal: "python3 -c 'import fcntl;fcntl.fcntl(7,1033,15)'" },
  python: { make: python('python', PYTHON), seal: "python -c 'import fcntl;fcntl.fcntl(7,1033,15)'" },
  perl: { make: `perl -e ${shellWord(PERL)}`, seal: 'perl -e \'open(F,"+<&=7");fcntl(F,1033,15)\'' },
};

function python(program: string, code: string): string {
  // JSON is Python, too, and has no line breaks.
  return `${program} -c ${shellWord(`exec(${JSON.stringify(code)})`)}`;
}

/** What unpacks, by the tool that the target has. */
const UNPACKERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  xz: { xz: 'xz -dc', lzma: `python3 -c ${shellWord(copyFrom('lzma.open(i)', 'lzma'))}` },
  gzip: { gzip: 'gzip -dc', python3: `python3 -c ${shellWord(copyFrom('gzip.open(i)', 'gzip'))}` },
  none: { cat: 'cat' },
};

function copyFrom(reader: string, module: string): string {
  return `import ${module},shutil,sys;i=sys.stdin.buffer;shutil.copyfileobj(${reader},sys.stdout.buffer,65536)`;
}

/** What gives the SHA-256 of its stdin, by the tool that the target has. */
const HASHERS: Readonly<Record<string, string>> = {
  sha256sum: 'sha256sum',
  openssl: 'openssl dgst -sha256',
  shasum: 'shasum -a 256',
  busybox: 'busybox sha256sum',
  python3: python(
    'python3',
    'import hashlib,sys\nh=hashlib.sha256()\nfor b in iter(lambda:sys.stdin.buffer.read(65536),b""):h.update(b)\nprint(h.hexdigest())',
  ),
};

/** The best packing that the tools can undo. */
export function packingFor(tools: ReadonlySet<string>): 'xz' | 'gzip' | 'none' {
  const can = (packing: string): boolean => Object.keys(UNPACKERS[packing] as object).some((tool) => tools.has(tool));
  return can('xz') ? 'xz' : can('gzip') ? 'gzip' : 'none';
}

/** What the target lacks to take a file of that packing. */
export function lacking(tools: ReadonlySet<string>): string[] {
  const missing: string[] = [];
  if (!Object.keys(HASHERS).some((tool) => tools.has(tool))) missing.push(`a program that checks it (${Object.keys(HASHERS).join(', ')})`);
  if (!tools.has('head')) missing.push('head');
  return missing;
}

/**
 * Looks at the target. Says `os`, `bits`, `libc`, `musl`, `tool`, `mem`, `cgroup`, then each way that was tried (`tried`), the one that
 * works (`way`), and `end`. Nobody can guess `token`.
 */
export function probeScript(token: string): string {
  return lines([
    SAY,
    'has() { command -v "$1" >/dev/null 2>&1;}',
    'say os $(uname -s) $(uname -m)',
    'say bits $(getconf LONG_BIT 2>/dev/null)',
    'v=$(getconf GNU_LIBC_VERSION 2>/dev/null);[ "$v" ]||v=$(ldd --version 2>&1|head -n 1)',
    'case $v in *musl*|*[0-9].*);;*)for f in /lib/*/libc.so.6 /lib64/libc.so.6 /lib/libc.so.6;do [ -x $f ]&&v=$($f 2>/dev/null|head -n 1);done;;esac',
    'say libc $v',
    'for f in /lib/ld-musl-*;do [ -e "$f" ]&&say musl $f;done',
    'for t in xz gzip cat head sha256sum openssl shasum busybox python3 python perl;do has $t&&say tool $t;done',
    "has xz||if has python3&&python3 -c 'import lzma' </dev/null >/dev/null 2>&1;then say tool lzma;fi",
    'if [ -r /proc/meminfo ];then while read -r k v u;do [ $k = MemAvailable: ]&&say mem $v;done </proc/meminfo;fi',
    'c=/sys/fs/cgroup/memory;[ -r $c.max ]&&[ -r $c.current ]&&say cgroup $(cat $c.max $c.current)',
    'W=',
    ...Object.entries(MAKERS).map(([name, { make }]) => tryMemory(name, make)),
    `safe() { p=$(pwd -P);while :;do set -- $(ls -ldn "$p/.");[ "$3" = 0 ]||[ "$3" = $(id -u) ]||return 1;` +
      `case $1 in d????-??-?*|d????????[tT]*);;*)return 1;;esac;[ "$p" ]||return 0;p=\${p%/*};done;}`,
    tryDirectory(token),
    'o=$(pwd)',
    'for d in /dev/shm "$XDG_RUNTIME_DIR" /run/user/$(id -u) /run "$TMPDIR" /tmp /var/tmp "$HOME";do [ "$W" ]||[ -z "$d" ]||folder "$d";done',
    'cd "$o" 2>/dev/null',
    'say end',
  ]);
}

/** The first line: those that follow are run as they are. What was written for Node before it may have ended in anything, such as half a character. */
export function openScript(marker: string): string {
  return `\n\n\n\n${marker} ${LOOP}\n`;
}

/** Becomes a Node that runs there already, if it still does; else says `gone`. `tail` is the last step of the first stage. */
export function knownScript(attempt: string, tail: string): string {
  return `if ${attempt};then ${becomes(tail)};fi;exec 8<&-;echo $0 gone\n`;
}

function becomes(tail: string): string {
  return `j='p=process${OWN_PATH}'$j;${tail};exit`;
}

/** One command: makes a file in memory and runs what was written to it. */
function tryMemory(name: string, make: string): string {
  const trial = `printf ${TRIAL} >&7;exec 8</proc/self/fd/7 7>&-;/proc/self/fd/8`;
  return (
    `if [ -z "$W" ];then if has ${name};then e=$(${make} sh -c ${shellWord(trial)} </dev/null 2>&1);r=$?;` +
    `if [ $r = 7 ];then W=${name};say way ${name};else say tried memory by ${name}: "\${e:-exit code $r}";fi;else say tried memory by ${name}: it is not there;fi;fi`
  );
}

/**
 * One command: the function `folder`, which leaves a file of that folder open as descriptor 7. The folder and all above it must be such that nobody
 * else can change what is in them, or what others have there. The file lies in a folder of its own, made in one step with a name that nobody
 * can guess; it is gone before anything but a script of two lines was in it.
 */
function tryDirectory(token: string): string {
  const name = `.mitos-${token}`;
  return (
    'folder() { no="say tried a file in $1:";cd "$1" 2>/dev/null||{ $no it cannot be entered;return;};' +
    'safe||{ $no other users could change it;return;};' +
    `k=$(df -Pk . 2>/dev/null|tail -n 1);set -- "$1" $k;[ "\${5:-${ROOM_KB}}" -ge ${ROOM_KB} ]||{ $no only $5 KB are free;return;};` +
    `e=$( (umask 077;mkdir ${name}) 2>&1)||{ $no $e;return;};cd ${name}||return;` +
    `e=$( (umask 077;set -C;printf ${TRIAL} >n&&chmod 700 n&&./n) 2>&1);r=$?;` +
    `[ $r = 7 ]&&exec 7<>n;rm -f n;cd ..;rmdir ${name};` +
    '[ $r = 7 ]||{ $no "${e:-exit code $r}";return;};W=file;say way file in $1;}'
  );
}

/** How a runtime is taken in. */
export interface TakePlan {
  marker: string;
  /** `file`, or one of {@link MAKERS}. */
  way: string;
  tools: ReadonlySet<string>;
  offer: RuntimeOffer;
  /** The last step of the first stage. */
  tail: string;
}

/**
 * Takes in the packed executable that follows, checks it, and becomes it. Says `bad`, at which step, and why; or `up`, with its process id and
 * start time, and then what the first stage says.
 */
export function takeScript(plan: TakePlan): string {
  const maker = MAKERS[plan.way];
  return lines([
    // As the first process of a PID namespace the shell stays.
    ...(maker ? [`x=;[ $$ = 1 ]||x=exec;$x ${maker.make} sh -c ${shellWord(`j=$1;shift;${LOOP}`)} $0 "$j";exit`] : []),
    SAY,
    // One command: the packed bytes follow its line.
    takeCommand(plan),
  ]);
}

function takeCommand({ way, tools, offer, tail }: TakePlan): string {
  const maker = MAKERS[way];
  return [
    `e=$( { head -c ${offer.packedSize}|${pick(UNPACKERS[offer.packing] as Record<string, string>, tools)} >&7;} 2>&1)||{ say bad unpack $? $e;exit;}`,
    ...(maker ? [`${maker.seal} </dev/null >/dev/null 2>&1`] : []),
    'exec 8</proc/self/fd/7 7>&-',
    `h=$(${pick(HASHERS, tools)} <&8);case $h in *${offer.hash}*);;*)say bad hash $h;exit;;esac`,
    'v=$(/proc/self/fd/8 --version 2>&1 </dev/null);r=$?;case $v in v[0-9]*);;*)say bad run $r $v;exit;;esac',
    'read -r s </proc/self/stat;set -- ${s##*\\)};say up $$ ${20}',
    'set -- /proc/self/fd/8',
    becomes(tail),
  ].join(';');
}

/** What the first of the tools does that the target has. */
function pick(from: Readonly<Record<string, string>>, tools: ReadonlySet<string>): string {
  return from[Object.keys(from).find((tool) => tools.has(tool)) as string] as string;
}

function lines(commands: readonly string[]): string {
  return `${commands.join('\n')}\n`;
}
