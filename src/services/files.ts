/**
 * Files of the program's packages, where the program is not installed: `mitos:files`. Sent with modules whose text says where they are, and evaluated
 * as soon as it is there. From then on fs, `new Worker` and `process.dlopen` find what lies inside the packages that this context was told of.
 */
import { brotliDecompressSync } from 'zlib';
import { mitosError } from '../core/errors.ts';
import { GET_MODULE, GET_RESOURCE } from '../core/handles.ts';
import type { ModuleAnswer, ModuleQuery } from '../core/importer.ts';
import { dataOf, MASTER, self } from '../core/main.ts';
import type { Dep } from '../core/module-batch.ts';
import type { ResourceAnswer, ResourceHead, ResourceHost } from '../core/resource.ts';
import type { UserSide } from '../core/user-side.ts';
import { installAddons, loadAddon } from './addon-loader.ts';
import { installCallSites } from './call-sites.ts';
import { installFiles } from './file-functions.ts';
import { PackageFiles } from './package-files.ts';
import { installThreads } from './threads.ts';

export { startThread } from './threads.ts';

/** u32 length of the head, the head as JSON, and the data. */
function readAnswer(reply: Buffer, limit: number): ResourceAnswer {
  const data = dataOf(reply);
  const end = 4 + data.readUInt32BE(0);
  const head = JSON.parse(data.toString('utf8', 4, end)) as ResourceHead;
  if (!head.data) return head;
  const rest = data.subarray(end);
  const size = head.size as number;
  if (head.data === 'plain') return { ...head, content: Buffer.from(rest) };
  if (!(size <= limit)) throw mitosError('ERR_MITOS_LIMIT', `Cannot read a file of ${size} bytes: the limit is ${limit}`);
  return { ...head, content: brotliDecompressSync(rest, { maxOutputLength: size || 1 }) };
}

/** Asks the master. */
function masterHost(user: UserSide): ResourceHost {
  const { endpoint, importer, pump, config } = user;
  const limit = config.limits.maxMessageBytes;
  const taken = (target: Dep): ModuleAnswer => ({ target, modules: typeof target === 'number' ? importer.closure(target) : [] });
  const last = (id: number): { url: string; code: string } | undefined => {
    const modules = importer.closure(id);
    return modules[modules.length - 1];
  };
  return {
    ask: (query) => endpoint.request(MASTER, GET_RESOURCE, query).then((reply) => readAnswer(reply, limit)),
    askSync: (query) => readAnswer(endpoint.requestSync(MASTER, GET_RESOURCE, query, pump), limit),
    module: (query: ModuleQuery) => endpoint.request(MASTER, GET_MODULE, query).then((reply) => taken(user.takeAnswer(reply))),
    moduleSync: (query: ModuleQuery) => taken(user.takeAnswer(endpoint.requestSync(MASTER, GET_MODULE, query, pump))),
    urlOf: (id) => (last(id) || { url: undefined }).url,
    get text() {
      return (last(importer.idOf('mitos:files') as number) as { code: string }).code;
    },
    hasAddons: config.addons === 'ram',
  };
}

let files: PackageFiles | undefined;
const host = self.user ? masterHost(self.user) : self.thread;
if (host) {
  files = new PackageFiles(host);
  for (const install of [installFiles, installThreads, installAddons, installCallSites]) {
    try {
      install(files);
    } catch (error) {
      // A Node that does not let itself be patched there still runs what reads no files.
      process.emitWarning(`mitos cannot serve files of packages: ${String((error as Error).stack)}`);
    }
  }
}

/** Takes note of a package of the program. */
export function add(id: number, path: string): void {
  if (files) files.add(id, path);
}

/** What stands for a native addon. */
export function addon(module: { exports: unknown }, root: number, path: string, refusal: string): void {
  loadAddon(files as PackageFiles, module, root, path, refusal);
}
