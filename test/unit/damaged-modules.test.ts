/** Threat T28: a batch that is not what was sent is refused, asked for again, and never evaluated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChildConfig } from '#src/core/config.js';
import { GET_MODULE, LOAD } from '#src/core/handles.js';
import { DEFAULT_LIMITS } from '#src/core/limits.js';
import { cut, packModules } from '#src/core/module-pack.js';
import { UserSide } from '#src/core/user-side.js';
import { handleOf, jsonFrame, jsonOf, NORMAL, replyToOf, writeHeader } from '#src/core/wire.js';

const good = packModules([{ id: 1, url: 'file:///1.js', kind: 'cjs', code: 'exports.ok = () => "ok"', deps: {} }]);

function damaged(at: number): Buffer {
  const data = Buffer.from(good);
  data[at] = (data[at] as number) ^ 1;
  return data;
}

/** A context whose parent answers every question with `batch`. */
function context(batch: Buffer): { user: UserSide; load(data: Buffer): void; asked: unknown[] } {
  const asked: unknown[] = [];
  const load = (data: Buffer): void => {
    for (const message of cut(data)) user.endpoint.receive(writeHeader(message, NORMAL, 5, 0, LOAD, 0));
  };
  const config = { id: 5, name: 'child', ancestors: [0], ancestorNames: ['master'], limits: DEFAULT_LIMITS } as unknown as ChildConfig;
  const user = new UserSide(
    config,
    (frame) => {
      if (handleOf(frame) !== GET_MODULE) return;
      asked.push(jsonOf(frame));
      queueMicrotask(() => {
        load(batch);
        user.endpoint.receive(jsonFrame(NORMAL, 5, 0, replyToOf(frame), 0, 1));
      });
    },
    () => false,
    {},
  );
  return { user, load, asked };
}

test('A context asks again for a module that came damaged, wherever the byte is', async () => {
  for (let at = 0; at < good.length; at++) {
    const { user, load, asked } = context(good);
    load(damaged(at));
    const ok = (await user.importer.resolveRef('1#ok')) as () => string;
    assert.equal(ok(), 'ok');
    assert.equal((asked[0] as { id: number }).id, 1);
    assert.equal(asked.length, 1);
  }
});

test('A module that comes damaged each time is refused with a code and with what to do, and the context lives on', async () => {
  const { user, load } = context(damaged(20));
  const get = (): Promise<unknown> => Promise.resolve().then(() => user.importer.resolveRef('1#ok'));
  for (let time = 0; time < 2; time++) {
    await assert.rejects(get(), { name: 'ModuleError', code: 'ERR_MITOS_MODULE_DAMAGED', message: /checksum/, hint: /again/ });
  }
  assert.equal(user.importer.has(1), false);
  load(good);
  assert.equal(((await get()) as () => string)(), 'ok');
});
