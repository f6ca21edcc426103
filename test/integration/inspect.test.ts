/** `context.inspect()`: a debugger here, the program there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { type Context, type InspectServer, MitosError, type Router } from 'mitos';
import { WebSocket } from 'ws';
import { rejection, withRouter } from './modes-table.js';

interface Message {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result: { result: { value?: unknown } };
  error?: { code: number; message: string };
}

/** A debugger, as small as it can be. */
class Client {
  readonly socket: WebSocket;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #seen: Message[] = [];
  #onEvent: () => void = () => {};
  #last = 0;

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as Message;
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message);
      else this.#seen.push(message);
      this.#onEvent();
    });
  }

  static async connect({ url }: InspectServer): Promise<Client> {
    const client = new Client(url);
    await once(client.socket, 'open');
    return client;
  }

  async send(method: string, params: object = {}): Promise<Message> {
    const id = ++this.#last;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.socket.send(JSON.stringify({ id, method, params }));
    return answer;
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.send('Runtime.evaluate', { expression, returnByValue: true });
    return result.result.value;
  }

  /** The first event that fits, seen already or still to come. */
  async event(method: string, fits: (params: Record<string, unknown>) => boolean = () => true): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.#seen.find((message) => message.method === method && fits(message.params ?? {}));
      if (found) return found.params ?? {};
      await new Promise<void>((resolve) => (this.#onEvent = resolve));
    }
  }

  async end(): Promise<void> {
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }
}

function pausing(n: number): number {
  const doubled = n * 2;
  // oxlint-disable-next-line no-debugger
  debugger;
  return doubled + 1;
}

function double(n: number): number {
  return n * 2;
}

/** The line, from 1, of this file's source that holds `text`. */
function sourceLine(text: string): number {
  return (
    readFileSync(new URL('../../../test/integration/inspect.test.ts', import.meta.url), 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(text)) + 1
  );
}

async function fetchText(url: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const [response] = (await once(request(url, { headers, agent: false }).end(), 'response')) as [
    NodeJS.ReadableStream & { statusCode: number },
  ];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, text };
}

/** Two hops away from here. */
async function behind(router: Router): Promise<Context> {
  return router.local().local();
}

withRouter('a debugger that connects to the local port speaks with the process at the other end of the tree', async ({ router }) => {
  const context = await behind(router);
  const { pid } = await context.info();
  await using server = await context.inspect();
  const client = await Client.connect(server);
  assert.equal(await client.evaluate('process.pid'), pid);
  const { error } = await client.send('No.suchMethod');
  assert.match(error?.message ?? '', /wasn't found|not found/);
  await client.end();
});

withRouter('while the program stands at a breakpoint its frames can be looked at, and the rest of the tree goes on', async ({ router }) => {
  const context = await behind(router);
  await using server = await context.inspect();
  const client = await Client.connect(server);
  await client.send('Debugger.enable');
  const call = context.call(pausing, 21);
  const { callFrames } = (await client.event('Debugger.paused')) as { callFrames: { callFrameId: string; functionName: string }[] };
  const frame = callFrames[0]!;
  assert.equal(frame.functionName, 'pausing');
  const { result } = await client.send('Debugger.evaluateOnCallFrame', { callFrameId: frame.callFrameId, expression: 'doubled' });
  assert.equal(result.result.value, 42);
  assert.equal(await context.via!.call(double, 4), 8);
  await client.send('Debugger.resume');
  assert.equal(await call, 43);
  await client.end();
});

withRouter("scripts are given with a map to the user's own lines", async ({ router }) => {
  const context = await behind(router);
  await using server = await context.inspect();
  const client = await Client.connect(server);
  await client.send('Debugger.enable');
  const call = context.call(pausing, 1);
  const paused = (await client.event('Debugger.paused')) as {
    callFrames: { location: { scriptId: string; lineNumber: number; columnNumber: number } }[];
  };
  const { scriptId, lineNumber, columnNumber } = paused.callFrames[0]!.location;
  const { sourceMapURL, url } = await client.event('Debugger.scriptParsed', (params) => params['scriptId'] === scriptId);
  assert.match(String(url), /^mitos:\d+\/inspect/);
  const { status, text } = await fetchText(String(sourceMapURL));
  assert.equal(status, 200);
  const place = originalPositionFor(new TraceMap(text), { line: lineNumber + 1, column: columnNumber });
  assert.match(fileURLToPath(place.source!), /test\/integration\/inspect\.test\.ts$/);
  assert.equal(place.line, sourceLine(' debugger;'));
  await client.send('Debugger.resume');
  await call;
  await client.end();
});

withRouter('what is larger than a frame, or than the window, arrives whole', async ({ router }) => {
  const context = await behind(router);
  await using server = await context.inspect();
  const client = await Client.connect(server);
  assert.equal(await client.evaluate('"\u00e4".repeat(2500000)'), '\u00e4'.repeat(2500000));
  assert.equal(await client.evaluate(`${JSON.stringify('x'.repeat(3000000))}.length`), 3000000);
  await client.end();
});

withRouter(
  'a context that stands at a breakpoint goes on when the debugger lets go, and can be shut down when it does not',
  async ({ router }) => {
    const context = await behind(router);
    const server = await context.inspect();
    for (const letGo of [(client: Client) => client.end(), () => server.close()]) {
      const client = await Client.connect(server);
      await client.send('Debugger.enable');
      const call = context.call(pausing, 1);
      await client.event('Debugger.paused');
      await letGo(client);
      assert.equal(await call, 3);
    }
    const again = await context.inspect();
    const client = await Client.connect(again);
    await client.send('Debugger.enable');
    const call = rejection(context.call(pausing, 1));
    await client.event('Debugger.paused');
    const closed = once(client.socket, 'close');
    await context.shutdown();
    assert.equal((await call).code, 'ERR_MITOS_SHUTDOWN');
    await closed;
    await again.closed;
  },
);

withRouter('debuggers find the target as they find that of node --inspect; pages of other sites do not', async ({ router }) => {
  const context = await router.local({ name: 'shop' });
  await using server = await context.inspect();
  const base = `http://${server.host}:${server.port}`;
  const [target] = JSON.parse((await fetchText(`${base}/json/list`)).text) as {
    title: string;
    webSocketDebuggerUrl: string;
    type: string;
  }[];
  assert.deepEqual([target?.title, target?.type, target?.webSocketDebuggerUrl], ['shop (mitos)', 'node', server.url]);
  const version = JSON.parse((await fetchText(`${base}/json/version`)).text) as { Browser: string };
  assert.equal(version.Browser, `node.js/v${(await context.info()).node}`);
  assert.equal((await fetchText(`${base}/json/list`, { host: 'evil.example' })).status, 404);
  for (const [url, options] of [
    [server.url, { origin: 'https://evil.example' }],
    [server.url, { headers: { host: 'evil.example' } }],
    [`${server.url}0`, {}],
  ] as const) {
    const socket = new WebSocket(url, options);
    const [error] = (await once(socket, 'error')) as [Error];
    assert.match(error.message, /socket hang up/);
  }
});

withRouter('what cannot be debugged says so, with what to do', async ({ router }) => {
  const [plain, threadless, worker] = await Promise.all([router.local(), router.local({ threadless: true }), router.worker()]);
  for (const context of [threadless, worker]) {
    const error = await rejection(context.inspect());
    assert.ok(MitosError.is(error) && error.code === 'ERR_MITOS_RESOURCE');
    assert.match(error.hint ?? '', /threadless/);
  }
  assert.equal((await rejection(router.self.inspect())).code, 'ERR_MITOS_POLICY');
  const { port, close } = await plain.inspect();
  assert.match((await rejection(plain.inspect({ port }))).message, /EADDRINUSE/);
  await close();
});

withRouter('a signal closes the port', async ({ router }) => {
  const context = await router.local();
  const controller = new AbortController();
  const { closed } = await context.inspect({ signal: controller.signal });
  controller.abort();
  await closed;
  assert.equal(await context.call(double, 2), 4);
  assert.equal((await rejection(context.inspect({ signal: controller.signal }))).name, 'AbortError');
});
