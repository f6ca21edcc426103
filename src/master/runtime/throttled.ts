import type { RuntimeWatch } from './store-options.ts';

const TELL_MS = 100;

/** Tells of progress at most every 100 ms, and of every new phase and its end. */
export function throttled({ signal, onProgress }: RuntimeWatch): RuntimeWatch {
  if (!onProgress) return { signal };
  let last = 0;
  let phase = '';
  return {
    signal,
    onProgress: (progress) => {
      const now = performance.now();
      if (progress.phase === phase && progress.done !== progress.total && now - last < TELL_MS) return;
      last = now;
      phase = progress.phase;
      onProgress(progress);
    },
  };
}
