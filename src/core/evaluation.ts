/** Runs linked modules in the order of ES modules: dependencies first, side by side where these await at top level. */
import { evaluateCommon } from './commonjs.ts';
import { type Loaded, scriptName, type Table } from './loaded.ts';

/** Evaluates dependencies, then the module. Throws, and goes on throwing, what the module threw; a promise only if something awaits. */
export function run(loaded: Loaded, cache: Table): Promise<unknown> | undefined {
  if (loaded.failure) throw loaded.failure[0];
  if (loaded.state > 1) return loaded.pending;
  loaded.state = 2;
  const fail = (error: unknown): never => {
    loaded.failure = [error];
    throw error;
  };
  try {
    const waits: Promise<unknown>[] = [];
    for (const dep of loaded.deps) {
      const wait = run(dep, cache);
      if (wait) waits.push(wait);
    }
    const finish = (): unknown => evaluate(loaded, cache);
    if (!waits.length && !loaded.def.async) finish();
    else {
      loaded.pending = (waits.length ? Promise.all(waits).then(finish) : (finish() as Promise<unknown>)).then(
        () => (loaded.pending = undefined),
        fail,
      );
      loaded.pending.catch(() => {});
    }
  } catch (error) {
    fail(error);
  }
  return loaded.pending;
}

function evaluate(loaded: Loaded, cache: Table): unknown {
  const { def, ns } = loaded;
  if (def.kind === 'esm') return (loaded.body as Iterator<unknown>).next();
  if (def.kind !== 'inline') return evaluateCommon(loaded, cache);
  ns['default'] = inScope(loaded.deps[0] as Loaded, `${def.code}\n//# sourceURL=${scriptName(def)}`);
  return undefined;
}

/** The value of an expression in the scope of a module that offers that. */
export function inScope({ scope }: Loaded, code: string): unknown {
  return scope && scope.h && scope.h(code);
}
