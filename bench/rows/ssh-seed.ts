/**
 * The workload that such libraries are compared by: /bin/true a hundred times as root over ssh and sudo, from the start of a process to its end, with
 * the loop here or there. Bytes are those of the connection, ssh's own included. Packets are pieces of data as they reach a proxy, for everybody alike.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DelayProxyCounters } from '#src/testing/index.js';
import { type Plan, takeTurns } from '../measure.ts';
import type { Row, Target } from '../report.ts';
import { runProgram, type Scenario, type SshLab, type Who } from '../ssh-lab.ts';

const TIMES = 100;
const FIGURES = ['bytesUp', 'bytesDown', 'chunksUp', 'chunksDown', 'ms'] as const;
type Samples = Record<(typeof FIGURES)[number], number[]>;
type Results = Record<string, Samples>;

const LOOPS = [
  { name: 'loop here', scenario: 'seedHere', bytesUp: 30_000, bytesDown: 10_000 },
  { name: 'loop there', scenario: 'seedThere', bytesUp: 22_000, bytesDown: 4_500 },
] as const;

export async function measureSeed(lab: SshLab, plan: Plan): Promise<Row[]> {
  const results: Results = {};
  const once = await sample(lab, () => runProgram(['ssh', ...lab.ssh(lab.near.port), 'sudo /bin/true']));
  add(results, 'ssh once', once);
  const rows: Row[] = [];
  for (const loop of LOOPS) {
    await runPeers(lab, plan, loop.scenario, results);
    rows.push(...rowsOf(results, loop));
  }
  // It takes half a minute.
  return plan.isQuick || !lab.has('ansible') ? rows : [...rows, ...(await besideAnsible(lab, results))];
}

async function runPeers(lab: SshLab, plan: Plan, scenario: Scenario, results: Results): Promise<void> {
  const subject =
    (name: string, who: Who, compression = true) =>
    async () => {
      if (who !== 'mitos' && !lab.has(who)) return NaN;
      const settings = { port: lab.near.port, count: TIMES, compression };
      add(results, `${name} ${scenario}`, await sample(lab, async () => (await lab.run(who, scenario, settings)).ms));
      return NaN;
    };
  const subjects = {
    mitos: subject('mitos', 'mitos'),
    mitogen: subject('mitogen', 'mitogen'),
    mitogenPlain: subject('mitogenPlain', 'mitogen', false),
    execnet: subject('execnet', 'execnet'),
  };
  await takeTurns(plan.pick(5, 1), subjects, 0);
}

function rowsOf(results: Results, { name, scenario, bytesUp, bytesDown }: (typeof LOOPS)[number]): Row[] {
  const of = (who: string, figure: keyof Samples): number[] => results[`${who} ${scenario}`]?.[figure] ?? [];
  const row = (what: string, unit: string, figure: keyof Samples, target: Target): Row => ({
    what: `${TIMES} x /bin/true as root, ${name}: ${what}`,
    unit,
    values: of('mitos', figure),
    beside: { what: 'Mitogen', values: of('mitogen', figure) },
    also: [
      { what: 'Mitogen, without ssh -C', values: of('mitogenPlain', figure) },
      { what: 'execnet', values: of('execnet', figure) },
      { what: 'ssh once', values: results['ssh once']?.[figure] ?? [] },
    ],
    target,
  });
  const asMitogen: Target = { of: 'ratio', atMost: 1 };
  return [
    row('to the host', 'B', 'bytesUp', { of: 'value', atMost: bytesUp }),
    row('from it', 'B', 'bytesDown', { of: 'value', atMost: bytesDown }),
    row('packets there', '', 'chunksUp', asMitogen),
    row('packets back', '', 'chunksDown', asMitogen),
    row('whole process', 'ms', 'ms', asMitogen),
  ];
}

async function besideAnsible(lab: SshLab, results: Results): Promise<Row[]> {
  const { config, close } = writeAnsible(lab);
  const command = ['ansible-playbook', join(lab.directory, 'play.yml')];
  const ansible = await sample(lab, async () => {
    const ms = await runProgram(command, { env: { ANSIBLE_CONFIG: config, HOME: lab.directory } });
    await close();
    return ms;
  });
  const bytes = ({ bytesUp, bytesDown }: Samples): number[] => bytesUp.map((up, i) => up + (bytesDown[i] ?? NaN));
  const mitos = results['mitos seedHere'];
  const row = (what: string, unit: string, values: readonly number[] = [], beside: number): Row => ({
    ...{ what: `${TIMES} x /bin/true as root, loop here: ${what}`, unit, values },
    beside: { what: 'Ansible, pipelining', values: [beside] },
    target: { of: 'ratio', atMost: 1 / 20 },
  });
  return [
    row('both ways', 'B', mitos && bytes(mitos), ansible.bytesUp + ansible.bytesDown),
    row('whole process', 'ms', mitos?.ms, ansible.ms),
  ];
}

/** A playbook of as many tasks, and Ansible's configuration for it. The connection it leaves has to be closed. */
function writeAnsible({ directory, near, free, sshd }: SshLab): { config: string; close(): Promise<number> } {
  const write = (name: string, lines: readonly string[]): string => {
    const file = join(directory, name);
    writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  };
  const python = 'ansible_python_interpreter=/usr/bin/python3';
  const inventory = write('inventory', [`lab ansible_host=127.0.0.1 ansible_port=${near.port} ansible_user=${free.name} ${python}`]);
  const tasks = Array.from({ length: TIMES }, () => '    - command: /bin/true');
  write('play.yml', ['- hosts: all', '  gather_facts: false', '  become: true', '  tasks:', ...tasks]);
  const control = join(directory, 'control');
  const arguments_ = `-F ${sshd.clientConfig} -o ControlMaster=auto -o ControlPersist=60s`;
  const config = write('ansible.cfg', [
    ...['[defaults]', `inventory=${inventory}`, 'stdout_callback=minimal', 'deprecation_warnings=False'],
    ...['[ssh_connection]', 'pipelining=True', `control_path=${control}`, `ssh_args=${arguments_}`],
  ]);
  return { config, close: () => runProgram(['ssh', '-F', sshd.clientConfig, '-O', 'exit', '-o', `ControlPath=${control}`, '127.0.0.1']) };
}

async function sample(lab: SshLab, work: () => Promise<number>): Promise<DelayProxyCounters & { ms: number }> {
  let ms = NaN;
  const counters = await lab.traffic(async () => {
    ms = await work();
  });
  return { ...counters, ms };
}

function add(results: Results, name: string, figures: Record<keyof Samples, number>): void {
  const samples = (results[name] ??= { bytesUp: [], bytesDown: [], chunksUp: [], chunksDown: [], ms: [] });
  for (const figure of FIGURES) samples[figure].push(figures[figure]);
}
