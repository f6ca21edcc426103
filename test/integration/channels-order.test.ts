/**
 * Items of a child with an I/O thread arrived in the wrong order: a write that waited for the lock on the descriptor was
 * overtaken by the next one when the lock became free, and the user's thread wrote past what the I/O thread had not written yet.
 */
import assert from 'node:assert/strict';
import type { Sender } from 'mitos';
import { inEveryMode } from './modes-table.js';

inEveryMode(
  'items that are sent without a pause arrive in order',
  async ({ open, router }) => {
    const context = await open();
    for (let round = 0; round < 4; round++) {
      const receiver = router.receiver<number>();
      const sent = context.call(async (sender: Sender<number>) => {
        for (let i = 0; i < 5000; i++) await sender.send(i);
        sender.close();
      }, receiver.sender());
      let expected = 0;
      for await (const item of receiver) assert.equal(item, expected++);
      assert.equal(expected, 5000);
      await sent;
    }
  },
  { timeoutMs: 30_000 },
);
