/** What must not outlive the program, even when it ends in the middle: processes and half-made files. */

const pending = new Set<() => void>();

/** Runs `undo` when the process exits, unless the function that is given back was called before. `undo` cannot wait for anything. */
export function atEnd(undo: () => void): () => void {
  if (pending.size === 0) process.on('exit', runAll);
  pending.add(undo);
  return () => {
    pending.delete(undo);
    if (pending.size === 0) process.off('exit', runAll);
  };
}

function runAll(): void {
  for (const undo of pending) {
    try {
      undo();
    } catch {
      // The others have their turn.
    }
  }
}
