/**
 * The first stage: the command line that turns a shell on the far side into a context. It reaches POSIX `sh` through any
 * login shell, so it has no line break, no `!`, and no quote but those around the arguments.
 *
 * 1. `sh` looks for a Node (the given one, then PATH, then the usual places) and prints a line: the marker, `ok` and what it
 *    found, or the marker, `none` and what the machine is. Whatever came before the marker is noise.
 * 2. It puts the protocol on descriptors 3 and 4, where processes that the child starts do not inherit it, `/dev/null` on 0,
 *    the program's own output on 1 and 2, and becomes that Node; but as the first process of a PID namespace it stays, and waits for
 *    Node: such a process cannot end itself by a signal.
 * 3. Node reads exactly the bytes of the preamble and evaluates them. One that is too old runs the next Node that was found, and
 *    stays around it; without another it says `old` and its version.
 *
 * Everything here can be seen by every user of the machine: nothing but this goes on a command line.
 */

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
}

/** The oldest Node that can run the core. */
export const OLDEST_NODE: readonly [number, number] = [12, 22];

/**
 * Where to look for a Node beside PATH, worst first; within a folder the newest comes last: snap, /opt (Homebrew, archives), n, volta;
 * fnm and mise; asdf and nvm. Patterns are as narrow as they can be short: a home may hold a million files.
 */
export const NODE_PLACES: string =
  '/snap/bin /opt/*/bin /usr/local/bin ~/n/bin ~/.volta/bin ~/.local/share/[fm]*[me]/*/*/*/bin ~/.[an][sv]*/*/*/*/bin';

/** The arguments of the program that gives a shell: `sh -c …`. */
export function firstStage(options: FirstStageOptions): string[] {
  const { marker, preambleBytes, node, stdoutFd, watchFd } = options;
  const output = stdoutFd === undefined ? '>&2' : `>&${stdoutFd} ${stdoutFd}>&-`;
  const watch = watchFd === undefined ? '' : `(read x<&${watchFd};sleep 1;kill -9 0)>/dev/null 2>&1 ${stdoutFd}>&- &`;
  const close = watchFd === undefined ? '' : ` ${watchFd}<&-`;
  const find =
    `for n in ${NODE_PLACES};do [ -x $n/node ]&&set $n/node $@;done;command -v node&&set node $@;` +
    '[ "$1" ]||{ echo $0 none `uname -sm`;exit;};';
  const script =
    `j=$1;shift;${node ? '' : find}echo $0 ok ${node ? '$*' : '$1'};${watch}x=;[ $$ = 1 ]||x=exec;` +
    `$x ${node ? '"$@" -e "$j"' : '$1 -e "$j" $@'} 3<&0 4>&1 </dev/null ${output}${close}`;
  return ['sh', '-c', script, marker, readerFor(preambleBytes), ...(node || [])];
}

/** The JavaScript that Node is started with; `require` and `module` are global there, and what it sets is too. Its arguments are the Nodes that were found: one that is too old hands over to the next. */
function readerFor(preambleBytes: number): string {
  const [major, minor] = OLDEST_NODE;
  return (
    `q=require,f=q("fs"),p=process,v=p.version.split(/\\D/),n=${preambleBytes},a=p.argv.splice(1),b=Buffer.alloc(n),o=0;` +
    `if(a.shift(),+v[1]+v[2]/100<${major + minor / 100})p.exit(a[0]?q("child_process").spawnSync(a[0],p.execArgv.concat(a),` +
    `{stdio:[0,1,2,3,4]}).status:f.writeSync(4,"old "+p.version+"\\n"));` +
    `for(;o<n;)try{o+=f.readSync(3,b,o,n-o)||p.exit(1)}catch(e){/EAG/.test(e)||p.exit(2)}` +
    `v=q("zlib").brotliDecompressSync(b)+"";Function(v)();module.exports.boot(v,b)`
  );
}
