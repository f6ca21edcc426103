/**
 * The library's side of `npm run bench -- ssh`, in a process of its own: `ssh-client.js SCENARIO`. A line on stdin tells where to connect to.
 * After each step it prints the step's name and milliseconds, and waits for another line. `ssh_peers.py` does the same with the peers.
 */
import { readSync } from 'node:fs';
import { Router } from '#src/index.js';
import { nothing, runTrue, runTrueTimes } from './remote-work.ts';
import type { ClientSettings } from './ssh-lab.ts';

const SCENARIOS = {
  /** A context behind ssh, then one behind sudo there, each called once. */
  async hops(): Promise<void> {
    const context = router.ssh(host);
    await context.call(nothing);
    step('ssh');
    const root = await (await context).sudo(sudo);
    step('sudo');
    await root.call(nothing);
    step('call');
  },

  /** Both hops and the call without waiting for anything in between. */
  async flight(): Promise<void> {
    await router.ssh(host).sudo(sudo).call(nothing);
    step('flight');
  },

  async first(): Promise<void> {
    await router.ssh(host).call(nothing);
    step('first');
  },

  /** The loop runs here. */
  async seedHere(): Promise<void> {
    const root = await router.ssh(host).sudo(sudo);
    for (let i = 0; i < count; i++) await root.call(runTrue);
  },

  /** The loop runs there. */
  async seedThere(): Promise<void> {
    await router.ssh(host).sudo(sudo).call(runTrueTimes, count);
  },

  async many(): Promise<void> {
    const specs = Array.from({ length: count }, () => ({ method: 'ssh' as const, ...host }));
    const calls: Promise<unknown>[] = [];
    for await (const result of router.connectAll(specs, { concurrency: count, perHop: count })) {
      if (result.status !== 'ok') throw result.error;
      calls.push(result.context.call(nothing));
    }
    await Promise.all(calls);
    step('many');
  },

  /** The same number of calls again and again; the first ones are to warm up. */
  async calls(): Promise<void> {
    const context = await router.ssh(host);
    for (const name of ['warm', 'one', 'two', 'three']) {
      for (let i = 0; i < count; i++) await context.call(nothing);
      step(name);
    }
  },
};

const { port, username, configFile, password, count = 0 } = JSON.parse(readLine()) as ClientSettings;
const host = { hostname: '127.0.0.1', port, username, configFile };
const sudo = password === undefined ? {} : { password };
let begin = performance.now();
await using router = new Router();
await SCENARIOS[process.argv[2] as keyof typeof SCENARIOS]();

function step(name: string): void {
  console.log(JSON.stringify([name, performance.now() - begin]));
  readLine();
  begin = performance.now();
}

/** Without a stream on stdin, which would cost time to set up. */
function readLine(): string {
  const byte = Buffer.alloc(1);
  let line = '';
  while (readSync(0, byte) === 1 && byte[0] !== 10) line += byte.toString('latin1');
  return line;
}
