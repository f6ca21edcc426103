/**
 * Where a function stands in the text that V8 loaded, asked of V8 itself through the inspector of this very thread.
 * The session is opened at the first question, once; it neither listens on a port nor keeps the process alive.
 */
import { Session } from 'inspector';

/** A place in a loaded script. Lines and columns count from 0, columns in UTF-16 units. */
export interface FunctionLocation {
  /** The script's name: a file URL, a path, `mitos:12/name.ts`, or empty. */
  url: string;
  /** V8's number of the script. */
  scriptId: string;
  /** Line of the parameter list; of the first token for arrow functions and classes. */
  line: number;
  /** Column of the same. */
  column: number;
  /** The text that V8 compiled. */
  source(): string;
}

interface RemoteValue {
  objectId?: string;
  value?: { scriptId: string; lineNumber: number; columnNumber: number };
}

const SLOT = Symbol.for('mitos.locate');

let session: Session | undefined;
const urls = new Map<string, string>();

function post<T>(method: string, params: object): T {
  let answer: T | undefined;
  let failure: Error | null = null;
  // In its own thread the inspector answers before post() returns.
  (session as Session).post(method, params, (error, result) => {
    failure = error;
    answer = result as T;
  });
  if (failure) throw failure;
  return answer as T;
}

function open(): void {
  if (session) return;
  session = new Session();
  session.connect();
  session.on('Debugger.scriptParsed', ({ params }) => {
    if (params.url) urls.set(params.scriptId, params.url);
  });
  post('Debugger.enable', {});
  post('Debugger.setSkipAllPauses', { skip: true });
}

/**
 * Finds where `fn` was written. Undefined for what has no place: natives, bound functions, proxies.
 */
export function locateFunction(fn: (...args: never[]) => unknown): FunctionLocation | undefined {
  open();
  const holder = globalThis as { [SLOT]?: unknown };
  holder[SLOT] = fn;
  try {
    const { result } = post<{ result: RemoteValue }>('Runtime.evaluate', {
      expression: "globalThis[Symbol.for('mitos.locate')]",
      objectGroup: 'mitos',
      silent: true,
    });
    const { internalProperties } = post<{ internalProperties?: { name: string; value?: RemoteValue }[] }>('Runtime.getProperties', {
      objectId: result.objectId,
      ownProperties: true,
    });
    const place = internalProperties?.find((property) => property.name === '[[FunctionLocation]]')?.value?.value;
    if (!place) return undefined;
    const { scriptId } = place;
    return {
      url: urls.get(scriptId) ?? '',
      scriptId,
      line: place.lineNumber,
      column: place.columnNumber,
      source: () => scriptText(scriptId),
    };
  } finally {
    delete holder[SLOT];
    post('Runtime.releaseObjectGroup', { objectGroup: 'mitos' });
  }
}

/** The loaded scripts that have a URL, by V8's numbers of them, in the order they were loaded. */
export function loadedScripts(): ReadonlyMap<string, string> {
  open();
  return urls;
}

/** The text of a loaded script. */
export function scriptText(scriptId: string): string {
  return post<{ scriptSource: string }>('Debugger.getScriptSource', { scriptId }).scriptSource;
}
