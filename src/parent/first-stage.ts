/**
 * The first stage: the command line that turns a shell on the far side into a context. It reaches POSIX `sh` through any
 * login shell, so it has no line break, no `!`, and no quote but those around the arguments.
 *
 * 1. `sh` looks for a Node (the given one, then PATH, then the usual places) and prints a line: the marker, `ok` and what it
 *    found, or the marker and `none`. Whatever came before the marker is noise. Where there is none it reads on, over what was written for Node
 *    before anybody knew, to a line that begins with the marker, and evaluates that: see provision-script.ts.
 * 2. It puts the protocol on descriptors 3 and 4, where processes that the child starts do not inherit it, `/dev/null` on 0,
 *    the program's own output on 1 and 2, and becomes that Node; but as the first process of a PID namespace it stays, and waits for
 *    Node: such a process cannot end itself by a signal.
 * 3. Node reads exactly the bytes of the preamble and evaluates them. One that is too old runs the next Node that was found, and
 *    stays around it; without another it says `old` and its version.
 *
 * Everything here can be seen by every user of the machine: nothing but this goes on a command line.
 */

import type { RuntimeSearch } from '../core/connect-order.ts';

/** What the first stage needs to know. */
export interface FirstStageOptions {
  /** What nobody could guess, printed before the protocol starts. */
  marker: string;
  /** Bytes of the preamble. */
  preambleBytes: number;
  /** The command that starts Node; without it one is looked for. */
  node?: readonly string[] | undefined;
  /** A descriptor that takes what the program prints on stdout; without it that goes to stderr. */
  stdoutFd?: number | undefined;
  /** A descriptor that ends with the parent, for a watch on a context that has no I/O thread. */
  watchFd?: number | undefined;
  /** Where to look for a Node, and what to do where there is none. @default look, and wait for more */
  search?: RuntimeSearch | undefined;
}

/** The oldest Node that can run the core. */
export const OLDEST_NODE: readonly [number, number] = [12, 22];

/**
 * Folders whose `bin` may hold a Node, beside PATH, worst first; within a folder the newest comes last: snap, /opt (Homebrew, archives), n, volta;
 * fnm and mise; asdf and nvm. Patterns are as narrow as they can be short: a home may hold a million files.
 */
export const NODE_PLACES: string = '/snap /opt/* /usr/local ~/n ~/.volta ~/.local/share/[fm]*[me]/*/*/* ~/.[an][sv]*/*/*/*';

/** The arguments of the program that gives a shell: `sh -c …`. */
export function firstStage(options: FirstStageOptions): string[] {
  const { marker, preambleBytes, node } = options;
  const search = options.search || { mode: 'auto' };
  const find = node ? '' : findNode(search);
  const reader = readerFor(preambleBytes);
  return [
    'sh',
    '-c',
    `j=$1;shift;${find}${lastStep(options)}`,
    marker,
    search.known || (node && WITHOUT_FILE.test(node[0] as string)) ? reader.replace(/,/, OWN_PATH) : reader,
    ...(node || []),
  ];
}

/** Sets the arguments to what was found; where that is nothing, says so, and goes no further. */
function findNode({ mode, known }: RuntimeSearch): string {
  const look = `for n in ${NODE_PLACES};do n=$n/bin/node;[ -x $n ]&&set $n $@;done;command -v node&&set node $@;`;
  const orElse =
    mode === 'never' ? 'echo $0 none `uname -sm`;exit;' : 'echo $0 none;while read l;do case $l in $0*)eval "${l#$0}";esac;done;exit;';
  return mode === 'push' || known ? `${known || 'false'}||{ ${orElse}};` : `${look}[ "$1" ]||{ ${orElse}};`;
}

/** Becomes the Node that the arguments say; `j` is the JavaScript for it. */
export function lastStep({ node, stdoutFd, watchFd }: Pick<FirstStageOptions, 'node' | 'stdoutFd' | 'watchFd'>): string {
  const output = stdoutFd === undefined ? '>&2' : `>&${stdoutFd} ${stdoutFd}>&-`;
  const watch = watchFd === undefined ? '' : `(read x<&${watchFd};sleep 1;kill -9 0)>/dev/null 2>&1 ${stdoutFd}>&- &`;
  const close = watchFd === undefined ? '' : ` ${watchFd}<&-`;
  return (
    `echo $0 ok ${node ? '$*' : '$1'};${watch}x=;[ $$ = 1 ]||x=exec;` +
    `$x ${node ? '"$@" -e "$j"' : '$1 -e "$j" $@'} 3<&0 4>&1 </dev/null ${output}${close}`
  );
}

/** The path of a Node that has no file: that of its process. */
export const WITHOUT_FILE: RegExp = /^\/proc\/\d+\/exe$/;
/** What makes it: what such a Node starts by its path is itself. `p` is its process. */
export const OWN_PATH: string = ';p.execPath=p.argv[0]="/proc/"+p.pid+"/exe";';

/** The JavaScript that Node is started with; `module` and the modules of Node are global there, and what it sets is too. Its arguments are the Nodes that were found: one that is too old hands over to the next. */
function readerFor(preambleBytes: number): string {
  const [major, minor] = OLDEST_NODE;
  return (
    `p=process,v=p.version.split(/\\D/),n=${preambleBytes},a=p.argv.splice(1),b=Buffer.alloc(n),o=0;` +
    `if(a.shift(),+v[1]+v[2]/100<${major + minor / 100})p.exit(a[0]?child_process.spawnSync(a[0],p.execArgv.concat(a),` +
    `{stdio:[0,1,2,3,4]}).status:fs.writeSync(4,"old "+p.version+"\\n"));` +
    `for(;o<n;)try{o+=fs.readSync(3,b,o,n-o)||p.exit(1)}catch(e){/EAG/.test(e)||p.exit(2)}` +
    `v=zlib.brotliDecompressSync(b)+"";Function(v)();module.exports.boot(v,b)`
  );
}
