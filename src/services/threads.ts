/**
 * `new Worker(file)` for files of the program's packages. The thread gets the core as text, the modules that the file needs, and a port to this
 * thread, by which it asks for more. All else is as Node makes it: `parentPort`, `workerData`, events, streams, limits.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker, type WorkerOptions, workerData } from 'worker_threads';
import { mitosError } from '../core/errors.ts';
import type { ModuleAnswer, ModuleQuery } from '../core/importer.ts';
import type { Dep, ModuleDef } from '../core/module-batch.ts';
import type { ResourceAnswer, ResourceHost, ResourceQuery } from '../core/resource.ts';
import type { PackageFiles } from './package-files.ts';

const core = require('mitos:core') as typeof import('../core/main.ts');

/** What a thread is started with. */
interface ThreadStart {
  core: string;
  text: string;
  id: number;
  file: string;
  modules: readonly ModuleDef[];
  port: MessagePort;
  cells: Int32Array;
  hasAddons: boolean;
  /** The program's own. */
  data: unknown;
}

type Question = { file: ResourceQuery } | { module: ModuleQuery };
interface Asked {
  n: number;
  question: Question;
}
interface Answered {
  n: number;
  answer?: unknown;
  error?: { code: string; message: string };
}

/** Runs before the modules of a thread: what is evaluated is the text of the core, this, and then the modules. */
const START = `
;{const c=module.exports,w=require('worker_threads'),f={exports:{}};new Function('module','exports','require',w.workerData.text)(f,f.exports,n=>n==='mitos:core'?c:require(n));f.exports.startThread()}`;

/** A context's own library does not work in threads that are no contexts. */
const NO_API = `for(const n of['self','select','group','Router'])exports[n]=function(){throw Object.assign(new Error('Cannot use "'+n+'" of mitos in a thread that a program has started: it is no context'),{code:'ERR_MITOS_POLICY'})};exports.main=()=>Promise.resolve()`;

/** Lets `new Worker` take files of packages. */
export function installThreads(files: PackageFiles): void {
  const threads = require('worker_threads') as { Worker: typeof Worker };
  const Real = threads.Worker;
  threads.Worker = class extends Real {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      const path = options.eval ? undefined : files.inside(file);
      const plan = path === undefined ? undefined : planOf(files, path, options);
      if (!plan) super(file, options);
      else {
        super(plan.text, plan.options);
        serve(plan.port, plan.cells, files.host);
      }
    }
  };
  Object.defineProperty(threads.Worker, 'name', { value: 'Worker' });
}

interface Plan {
  text: string;
  options: WorkerOptions;
  port: MessagePort;
  cells: Int32Array;
}

function planOf(files: PackageFiles, path: string, options: WorkerOptions): Plan | undefined {
  const { host } = files;
  const query = files.query([path, 'stat']);
  if (!query) return undefined;
  const { target, modules } = host.moduleSync({ from: -query.root, specifier: query.path, kind: 'import' });
  if (typeof target !== 'number') {
    const { code, message } = target as { code: string; message: string };
    if (code === 'ERR_MITOS_MODULE_NOT_FOUND') return undefined;
    throw mitosError('ERR_MITOS_MODULE_DENIED', `Cannot start a thread with ${path}: ${message}`);
  }
  const { port1, port2 } = new MessageChannel();
  const cells = new Int32Array(new SharedArrayBuffer(4));
  const { text, hasAddons } = host;
  const sources = core.self.sources as { core: string };
  const start: ThreadStart = {
    core: sources.core,
    text,
    id: target,
    file: path,
    modules,
    port: port2,
    cells,
    hasAddons,
    data: options.workerData,
  };
  return {
    text: sources.core + START,
    options: {
      execArgv: [],
      ...options,
      eval: true,
      workerData: start,
      transferList: [...(options.transferList || []), port2],
    },
    port: port1,
    cells,
  };
}

/** Answers a thread. Does not keep this one alive. */
function serve(port: MessagePort, cells: Int32Array, host: ResourceHost): void {
  const reply = (message: Answered): void => {
    port.postMessage(message);
    Atomics.add(cells, 0, 1);
    Atomics.notify(cells, 0);
  };
  port.on('message', ({ n, question }: Asked) => {
    const asked: Promise<unknown> = 'file' in question ? host.ask(question.file) : host.module(question.module);
    asked.then(
      (answer) => reply({ n, answer }),
      ({ code, message }) => reply({ n, error: { code, message } }),
    );
  });
  port.unref();
}

/** Asks the thread that started this one. */
class ParentThread implements ResourceHost {
  readonly text: string;
  readonly hasAddons: boolean;
  readonly #port: MessagePort;
  readonly #cells: Int32Array;
  readonly #waiting: Map<number, (message: Answered) => void> = new Map();
  readonly #urls: Map<number, string> = new Map();
  #last = 0;

  constructor({ text, hasAddons, port, cells }: ThreadStart) {
    this.text = text;
    this.hasAddons = hasAddons;
    this.#port = port;
    this.#cells = cells;
    port.on('message', (message: Answered) => this.#take(message));
    port.unref();
  }

  ask(file: ResourceQuery): Promise<ResourceAnswer> {
    return this.#ask({ file }).then(revived);
  }

  askSync(file: ResourceQuery): ResourceAnswer {
    return revived(this.#askSync({ file }));
  }

  module(module: ModuleQuery): Promise<ModuleAnswer> {
    return this.#ask({ module }).then((answer) => this.note(answer as ModuleAnswer));
  }

  moduleSync(module: ModuleQuery): ModuleAnswer {
    return this.note(this.#askSync({ module }) as ModuleAnswer);
  }

  urlOf(id: number): string | undefined {
    return this.#urls.get(id);
  }

  /** Remembers where modules are from, and leaves out what has no meaning here. */
  note(answer: ModuleAnswer): ModuleAnswer {
    for (const { id, url } of answer.modules) this.#urls.set(id, url);
    return {
      target: answer.target as Dep,
      modules: answer.modules.map((def) => (def.url === 'mitos:api' ? { ...def, code: NO_API, deps: {} } : def)),
    };
  }

  #take(message: Answered): void {
    const waiting = this.#waiting.get(message.n);
    this.#waiting.delete(message.n);
    if (!this.#waiting.size) this.#port.unref();
    if (waiting) waiting(message);
  }

  #ask(question: Question): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#send(question, ({ answer, error }) => {
        if (error) reject(mitosError(error.code as 'ERR_MITOS_PROTOCOL', error.message));
        else resolve(answer);
      });
      this.#port.ref();
    });
  }

  #send(question: Question, done: (message: Answered) => void): void {
    this.#waiting.set(++this.#last, done);
    this.#port.postMessage({ n: this.#last, question });
  }

  #askSync(question: Question): unknown {
    const box: Answered[] = [];
    this.#send(question, (message) => box.push(message));
    while (!box.length) {
      const seen = Atomics.load(this.#cells, 0);
      const received = receiveMessageOnPort(this.#port) as { message: Answered } | undefined;
      if (received) this.#take(received.message);
      else Atomics.wait(this.#cells, 0, seen, 1000);
    }
    const { answer, error } = box[0] as Answered;
    if (error) throw mitosError(error.code as 'ERR_MITOS_PROTOCOL', error.message);
    return answer;
  }
}

/** Bytes lose their class on the way through a port. */
function revived(value: unknown): ResourceAnswer {
  const answer = value as ResourceAnswer;
  const { content } = answer;
  return content ? { ...answer, content: Buffer.from(content.buffer, content.byteOffset, content.length) } : answer;
}

/** Evaluates the modules of a thread that {@link installThreads} has started. */
export function startThread(): void {
  const start = workerData as ThreadStart;
  const host = new ParentThread(start);
  core.self.sources = { core: start.core } as NonNullable<typeof core.self.sources>;
  core.self.thread = host;
  (require('worker_threads') as { workerData: unknown }).workerData = start.data;
  process.argv[1] = start.file;
  const take = ({ target, modules }: ModuleAnswer): Dep => {
    importer.define(modules);
    return target;
  };
  const importer = new core.Importer({
    core,
    request: (query) => host.module(query).then(take),
    requestSync: (query) => take(host.moduleSync(query)),
  });
  importer.define(host.note({ target: start.id, modules: start.modules }).modules);
  const pending = importer.namespace(start.id);
  if (pending instanceof Promise)
    pending.catch((error) => {
      setImmediate(() => {
        throw error;
      });
    });
}
