/** Shows that a Node is on its way to a target: a bar on a terminal, erased at the end; elsewhere a line for each target. */
import type { Router, RuntimeProgress } from '../index.ts';
import { formatBytes, type OutputStream, printable, progressBar } from './terminal.ts';

const WIDTH = 20;

const DOING: Readonly<Record<RuntimeProgress['phase'], string>> = {
  download: 'downloading a Node',
  pack: 'packing a Node',
  send: 'sending a Node',
  start: 'starting Node',
};

/** Shows what `router` tells of runtimes on `stream`. @returns ends it, and erases what is left of it */
export function showPushes(router: Router, stream: OutputStream, env: Readonly<Record<string, string | undefined>>): () => void {
  const isLive = stream.isTTY === true && env['TERM'] !== 'dumb';
  const told = new Set<string>();
  let isShown = false;
  const erase = (): void => {
    if (isShown) stream.write('\r\x1b[2K');
    isShown = false;
  };
  const show = ({ phase, context = '', done, total }: RuntimeProgress): void => {
    const name = printable(context);
    if (isLive) {
      erase();
      if (phase === 'start') return;
      const size = total > 0 ? ` ${progressBar(done, total, WIDTH)}` : '';
      stream.write(`${name}: ${DOING[phase]}${size}`.slice(0, (stream.columns || 80) - 1));
      isShown = true;
    } else if (phase === 'send' && !told.has(context)) {
      told.add(context);
      stream.write(`${name}: there is no Node; sending one (${formatBytes(total)})\n`);
    }
  };
  router.on('runtime', show);
  return () => {
    router.off('runtime', show);
    erase();
  };
}
