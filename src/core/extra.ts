/** What contexts get on first need, as it is sent: see `rare.ts`. */
export { createAbort } from './abort.ts';
export { createBulk } from './bulk.ts';
export { Channels, Receiver, Sender } from './channel.ts';
export { joinParts, refusal, reviveRare, tooDeep, tooLarge, tooMany, writeRare } from './codec-rare.ts';
export { decodeLive, encodeLive } from './live-kinds.ts';
export { Secret } from './secret.ts';
