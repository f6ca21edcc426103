/**
 * Well-known handles. Below {@link FIRST_MAILBOX} a frame is for the router of the context it is addressed to (or, for
 * {@link HELLO} to {@link PONG}, for the neighbour on the link); the rest are mailboxes of its endpoint.
 */

/** Both ways, first on a link: version, identity and configuration. */
export const HELLO = 1;
/** Asks the neighbour for a {@link PONG}; keeps a quiet link alive. */
export const PING = 2;
/** The answer to {@link PING}, with the same data. */
export const PONG = 3;
/** Downwards, hop by hop: ids `[start, start + count)` lie behind context `via`. */
export const GRANT = 4;
/** Upwards (and to whoever was handed one of them): contexts are gone, with the reason. */
export const GONE = 5;
/** Lets one context talk to another across their line. */
export const OPEN = 6;
/** Upwards: a context has come up; data describes it. */
export const ARRIVED = 7;
/** To a context's router: start a child. */
export const CONNECT = 8;
/** To a context's router: end one of its children, or (from its parent) end itself. */
export const SHUTDOWN = 9;
/** To a context's own router: a report of its streams. */
export const STATS = 10;
/** From a context's own user thread to its router: the program wants to end; answer when everything is written. */
export const FLUSH = 11;

/** To the master's router: a block of context ids is wanted; answered by a {@link GRANT}. */
export const ALLOCATE = 12;
/** To a context's router, from above: one of the master's bundles (the parent layer). */
export const BUNDLE = 13;
/** To a context's router, from above: modules for a context behind it, and what of them it lacks itself. */
export const RELAY = 14;
/** From neighbour to neighbour: pieces of a blob are wanted (upwards), or come (downwards). */
export const BLOB = 15;
/** To a context's router, from above: a message for the debugger of its main thread. */
export const INSPECT = 16;
/** To a context's router, from the master: what it is offered for a target without Node, or how far the master is with it. */
export const RUNTIME = 17;

/** The first handle that belongs to an endpoint. */
export const FIRST_MAILBOX = 64;
/** Bulk credit: the receiver of a large message has taken so many bytes. */
export const BULK_CREDIT = 64;
/** Runs a function. */
export const CALL = 65;
/** Cancels a call. */
export const CANCEL = 66;
/** Brings modules. */
export const LOAD = 67;
/** Asks the master for a module. */
export const GET_MODULE = 68;
/** Asks the master what an inline function is. */
export const IDENTIFY = 69;
/** Brings a log record up. */
export const LOG = 70;
/** From a context's router to its own endpoint: something in the tree changed (`GRANT`, `GONE`, `ARRIVED`, `SHUTDOWN`). */
export const TREE = 72;
/** Asks the master for one of its bundles (the parent layer). */
export const GET_BUNDLE = 73;
/** Forgets a call chain. */
export const DROP_CHAIN = 74;
/** From a context's router to the master: what a target without Node is, how far a push is; and from the master's own, that it wants a piece of a blob. */
export const GET_RUNTIME = 75;
/** Asks the master for a file of a package, see `resource.ts`. */
export const GET_RESOURCE = 76;
/** What the debugger of a context says: the answers to {@link INSPECT}. */
export const INSPECTED = 78;

/** Replies go to handles from here to {@link FIRST_CHANNEL}. */
export const FIRST_REPLY = 0x10000;
/** Channels have random handles from here on. */
export const FIRST_CHANNEL = 0x80000000;
