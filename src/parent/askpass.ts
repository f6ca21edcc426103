/**
 * Passwords and passphrases for OpenSSH's client, which takes them from a program named in its environment. That program is the Node that
 * runs here, made to ask back by NODE_OPTIONS: it writes the question into the stderr that it shares with ssh, behind a token, and reads
 * the answer from there, as that is a socket. So no file is needed, nobody else can listen, and the secret is in no argument, no
 * environment and on no terminal.
 */
import { spawnSync } from 'child_process';
import type { Talk } from './child-process.ts';
import type { Conversation } from './stage-link.ts';

/** What ssh may be told, and what it was told in all attempts to connect. */
export interface Secrets {
  password: Buffer | undefined;
  passphrase: Buffer | undefined;
  /** Questions that were answered, and {@link LOGIN}. */
  readonly answered: Set<string>;
}

/** Stands for all questions of a server: it gets the password once, whatever it asks. */
const LOGIN = '';

/** How ssh asks for a password, and marks what a server asks. Refused, it would go on with an empty answer, which is one more failure. */
const LOGIN_QUESTION = /^\(|'s password: $/;

/** Runs in the Node that ssh starts as `node "<question>"`, and in all others that ssh starts: they are to be left alone. */
const HELPER = (token: string): string =>
  'import f from"fs";import P from"path";const p=process,e=p.env,q=p.argv[1];' +
  'if(q&&e.SSH_ASKPASS==p.execPath&&!f.existsSync(q)){let s="",b=Buffer.alloc(1),d=p.pid+" ";try{if(!e.SSH_ASKPASS_PROMPT){' +
  `f.writeSync(2,"${token} "+d+p.ppid+" "+Buffer.from(P.relative("",q)).toString("base64")+"\\n");` +
  'while(f.readSync(2,b,0,1)&&b[0]!=10)s+=b.toString("latin1")}}catch{}' +
  'let y=s.startsWith(d);if(y)f.writeSync(1,Buffer.from(s.slice(d.length)+"\\n","latin1"));p.exit(y?0:1)}';

/** The environment under which ssh asks for secrets here. */
export function askpassEnvironment(token: string): NodeJS.ProcessEnv {
  const url = `data:text/javascript;base64,${Buffer.from(HELPER(token)).toString('base64')}`;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const hasImport = major > 18 || (major === 18 && minor > 17);
  return {
    SSH_ASKPASS: process.execPath,
    SSH_ASKPASS_REQUIRE: 'force',
    // Before 8.4 ssh only asks a program where there is no terminal, but a display.
    DISPLAY: process.env['DISPLAY'] || ':',
    NODE_OPTIONS: hasImport ? `--import ${url}` : `--no-warnings --experimental-loader ${url}`,
  };
}

const versions = new Map<string, boolean>();

/**
 * Ways of authentication that may ask for a password. Since 8.5 ssh marks what a server asks; before, a server could pretend that ssh
 * itself asks, or name options of Node, so there keyboard-interactive is left out.
 */
export function passwordMethods(sshPath: string, env: NodeJS.ProcessEnv): string[] {
  let isMarking = versions.get(sshPath);
  if (isMarking === undefined) {
    const { stderr } = spawnSync(sshPath, ['-V'], { env, timeout: 2000, encoding: 'utf8', killSignal: 'SIGKILL' });
    isMarking = Number((/OpenSSH_(?:for_\w+_)?(\d+\.\d+)/.exec(stderr || '') || [])[1]) >= 8.5;
    versions.set(sshPath, isMarking);
  }
  return isMarking ? ['password', 'keyboard-interactive'] : ['password'];
}

/** Answers the questions of one ssh process, and takes them out of its stderr. */
export class Askpass implements Conversation {
  readonly #token: Buffer;
  readonly #secrets: Secrets;
  readonly #talk: Talk;
  #tail: Buffer = Buffer.alloc(0);

  constructor(token: string, secrets: Secrets, talk: Talk) {
    this.#token = Buffer.from(token);
    this.#secrets = secrets;
    this.#talk = talk;
  }

  take(chunk: Buffer): Buffer {
    const token = this.#token;
    let bytes = Buffer.concat([this.#tail, chunk]);
    const out: Buffer[] = [];
    for (;;) {
      const at = bytes.indexOf(token);
      const end = at < 0 ? -1 : bytes.indexOf(10, at);
      if (end < 0) {
        let keep = at < 0 ? Math.min(token.length - 1, bytes.length) : bytes.length - at;
        while (at < 0 && keep && !bytes.subarray(-keep).equals(token.subarray(0, keep))) keep--;
        this.#tail = bytes.subarray(bytes.length - keep);
        return Buffer.concat([...out, bytes.subarray(0, bytes.length - keep)]);
      }
      out.push(bytes.subarray(0, at));
      this.#onQuestion(bytes.toString('latin1', at + token.length + 1, end));
      bytes = bytes.subarray(end + 1);
    }
  }

  /** Questions are told by their token: nothing that is printed later can be taken for one. */
  end(): void {}

  /** Secrets are for our own ssh alone: one that it runs itself, to reach a jump host, asks for another machine. */
  #onQuestion(line: string): void {
    const [helper, asker, text] = line.split(' ');
    const question = Buffer.from(text || '', 'base64').toString();
    const isOurs = Number(asker) === this.#talk.pid;
    const secret = isOurs ? this.#secretFor(question) : undefined;
    if (!isOurs && LOGIN_QUESTION.test(question)) this.#talk.fail('asked', question);
    if (secret) {
      this.#talk.answer(Buffer.from(`${helper} `));
      this.#talk.answer(secret);
    }
    this.#talk.answer(Buffer.from('\n'));
  }

  #secretFor(question: string): Buffer | undefined {
    const { password, passphrase, answered } = this.#secrets;
    const isForKey = question.startsWith('Enter passphrase for ');
    const kind = isForKey ? question : LOGIN;
    const secret = isForKey ? passphrase : LOGIN_QUESTION.test(question) ? password : undefined;
    if (answered.has(kind)) {
      this.#talk.fail(answered.has(question) ? 'asked-again' : 'asked', question);
      return undefined;
    }
    if (secret) answered.add(question).add(kind);
    return secret;
  }
}
