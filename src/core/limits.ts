/** Bounds that protect a context from its neighbours and from mistakes. All of them can be set with `new Router({ limits })`. */
export interface Limits {
  /** Largest message (arguments, a result, one item of a channel), in bytes. @default 134217728 (128 MiB) */
  maxMessageBytes: number;
  /** Deepest nesting of a value that is sent. @default 128 */
  maxDepth: number;
  /** Most values (array items, object members, …) in one message. @default 2000000 */
  maxNodes: number;
  /** Largest size of a batch of modules once inflated, in bytes. @default 134217728 (128 MiB) */
  maxModuleBytes: number;
  /** Bytes of messages that may be under assembly at once from one context. @default 268435456 (256 MiB) */
  maxAssemblyBytes: number;
  /** Bytes in flight for large messages between two contexts. @default 4194304 (4 MiB) */
  bulkWindowBytes: number;
  /** Bytes of items in flight on one channel or stream. @default 262144 (256 KiB) */
  channelWindowBytes: number;
  /** Items that wait unread in one receiver, from all its senders. @default 100000 */
  maxChannelItems: number;
  /** Bytes held for a child that is still starting, or for a neighbour that does not read. @default 67108864 (64 MiB) */
  maxHeldBytes: number;
  /** Calls that one context may have running in another at once. @default 100000 */
  maxCalls: number;
  /** Context ids that the contexts below one child of the master may use up. @default 65536 */
  maxIdsPerChild: number;
  /** Log records a second that are passed on for one context; the rest is counted and dropped. @default 1000 */
  maxLogRecordsPerSecond: number;
  /** Longest log record, in bytes; the rest of the line is cut. @default 8192 */
  maxLogRecordBytes: number;
}

/** The limits that hold when nothing else is said. */
export const DEFAULT_LIMITS: Readonly<Limits> = {
  maxMessageBytes: 134217728,
  maxDepth: 128,
  maxNodes: 2e6,
  maxModuleBytes: 134217728,
  maxAssemblyBytes: 268435456,
  bulkWindowBytes: 4194304,
  channelWindowBytes: 262144,
  maxChannelItems: 1e5,
  maxHeldBytes: 67108864,
  maxCalls: 1e5,
  maxIdsPerChild: 65536,
  maxLogRecordsPerSecond: 1000,
  maxLogRecordBytes: 8192,
};
