/** What can be told of sudo, su, doas, run0 and runuser before they are used. Nothing is tried that could count as a failed login. */
import type { SudoOptions, UserSwitchOptions } from '../../index.ts';
import { type Fact, fact, firstLine, lastLine, type Place, type Ran, run } from './facts.ts';
import { examinePaths, examineSurroundings } from './functions.ts';

/** Time for a function that answers at once, in milliseconds. */
const CALL_TIMEOUT_MS = 5000;

/** Examines a step to another user, from the place that takes it. */
export async function examineUserSwitch(place: Place, method: string, options: SudoOptions & UserSwitchOptions): Promise<Fact[]> {
  const { username = 'root', password } = options;
  const program = (method === 'sudo' ? options.sudoPath : options.path) ?? method;
  const [path, target, here] = await Promise.all([
    run(place, ['sh', '-c', 'command -v -- "$1"', 'sh', program]),
    run(place, ['id', '-u', username]),
    place.with({ timeoutMs: CALL_TIMEOUT_MS }).call(examineSurroundings),
  ]);
  if (path.exitCode !== 0)
    return [
      fact('failed', method, `there is no program ${program} in the PATH here`, {
        hint: `install ${method}, or name it with ?${method === 'sudo' ? 'sudoPath' : 'path'}=PATH`,
      }),
    ];
  const facts: Fact[] = [];
  if (target.exitCode === 1)
    facts.push(fact('failed', 'user', `there is no user ${username} here`, { hint: 'check the name of the user' }));
  if (method === 'sudo') return [...(await examineSudo(place, program, password !== undefined)), ...facts];
  const found = fact('ok', method, firstLine(path.stdout));
  const rights = method === 'doas' ? await examineDoas(place, program, username) : rightsOf(method, here.uid === 0, password !== undefined);
  return [found, ...rights, ...facts];
}

function rightsOf(method: string, isRoot: boolean, hasPassword: boolean): Fact[] {
  if (isRoot) return [fact('ok', 'policy', 'root needs no password for it')];
  if (method === 'runuser')
    return [fact('failed', 'policy', 'only root may use runuser', { hint: 'use su or sudo, or become root first' })];
  if (hasPassword) return [fact('ok', 'policy', 'a password is given in case it asks')];
  return [fact('warning', 'policy', `${method} will want a password, and none is given`, { hint: 'give it with --ask-sudo' })];
}

async function examineDoas(place: Place, program: string, username: string): Promise<Fact[]> {
  const config = '/etc/doas.conf';
  const [facts, checked] = await Promise.all([
    place.with({ timeoutMs: CALL_TIMEOUT_MS }).call(examinePaths, [config]),
    run(place, [program, '-C', config, '-u', username, 'sh']),
  ]);
  if (facts[0]?.kind === 'none')
    return [fact('failed', 'policy', `there is no ${config}: doas permits nothing`, { hint: `have root write a rule into ${config}` })];
  const said = firstLine(checked.stdout);
  if (said === 'permit nopass') return [fact('ok', 'policy', `sh as ${username} without a password`)];
  if (said === 'permit') return [fact('note', 'policy', `sh as ${username} with a password`)];
  if (said === 'deny')
    return [fact('failed', 'policy', `sh as ${username} is not permitted`, { hint: `have root write a rule into ${config}` })];
  return [fact('note', 'policy', `${config} cannot be read by this user`)];
}

async function examineSudo(place: Place, program: string, hasPassword: boolean): Promise<Fact[]> {
  const [version, list] = await Promise.all([run(place, [program, '-V']), run(place, [program, '-n', '-l'])]);
  const found = fact('ok', 'sudo', firstLine(version.stdout || version.stderr) || 'there');
  return [found, policyOf(list, hasPassword)];
}

/** What `sudo -n -l` says. */
function policyOf({ exitCode, stdout, stderr, problem }: Ran, hasPassword: boolean): Fact {
  const text = stdout.replace(/\n\s{2,}(?=\S)/g, '\n    ');
  if (exitCode === 0 && /may run the following/.test(text)) {
    const rules = (text.split(/may run the following[^\n]*\n/)[1] ?? '')
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean);
    const defaults = [
      ...text.matchAll(/(?<![\w!])(!?(?:requiretty|use_pty|authenticate|pwfeedback|timestamp_timeout=\S+))(?=[,\s]|$)/g),
    ].map(([, word]) => (word as string).replace(/,$/, ''));
    const isFree = rules.some((rule) => /NOPASSWD:/.test(rule)) || defaults.includes('!authenticate');
    const asks = isFree ? 'no password for some of it' : 'no password now (root, or one is remembered)';
    const shown = `${rules.join('; ')}${defaults.length > 0 ? `; ${defaults.join(', ')}` : ''}`;
    return fact('ok', 'policy', `${shown}: ${asks}`, { data: { rules, defaults, asksPassword: false } });
  }
  if (/password is required|authentication is required/i.test(stderr)) {
    if (hasPassword) return fact('ok', 'policy', 'it asks for a password, and one is given', { data: { asksPassword: true } });
    return fact('warning', 'policy', 'it asks for a password, and none is given', {
      hint: 'give it with --ask-sudo, or allow it with NOPASSWD',
      data: { asksPassword: true },
    });
  }
  if (/not in the sudoers file|may not run sudo|not allowed/i.test(stderr + stdout))
    return fact('failed', 'policy', lastLine(stderr || stdout), { hint: 'have root add a rule with visudo' });
  return fact('note', 'policy', `not told: ${lastLine(stderr) || problem || `sudo -l exited with code ${exitCode}`}`);
}
