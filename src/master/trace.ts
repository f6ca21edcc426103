/** Records what passes between the master and its tree, one event for each frame; never the data itself. */
import { closeSync, openSync, writeSync } from 'node:fs';
import * as handles from '../core/handles.ts';
import { DEAD, dstOf, ERROR, FRAGMENT, HEADER, handleOf, PRIORITY, replyToOf, srcOf } from '../core/wire.ts';

/** One frame, sent or received by the master. */
export interface TraceEvent {
  /** Milliseconds since 1970. */
  time: number;
  direction: 'in' | 'out';
  dst: number;
  src: number;
  /** The mailbox: a name for those that are well known, else a number. */
  handle: string | number;
  /** Where the answer goes; 0 for nowhere. */
  replyTo: number;
  priority: 'control' | 'normal' | 'bulk';
  flags: ('dead' | 'fragment' | 'error')[];
  /** Bytes of data. */
  bytes: number;
}

/** Takes events, in order. */
export type TraceSink = (event: TraceEvent) => void;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(handles)
    .filter(([name]) => !name.startsWith('FIRST_'))
    .map(([name, handle]) => [handle, name]),
);
const PRIORITIES = ['control', 'normal', 'bulk'] as const;

/** A running trace. */
export interface Trace {
  record(direction: 'in' | 'out', frame: Buffer): void;
  close(): void;
}

/** Begins a trace: into a file (one JSON object a line, anew), or to a function. */
export function startTrace(target: string | TraceSink): Trace {
  const fd = typeof target === 'string' ? openSync(target, 'w', 0o600) : -1;
  const sink: TraceSink = typeof target === 'string' ? (event) => writeSync(fd, `${JSON.stringify(event)}\n`) : target;
  let isOpen = true;
  return {
    record: (direction, frame) => {
      if (isOpen) sink(describeFrame(direction, frame));
    },
    close: () => {
      if (isOpen && fd >= 0) closeSync(fd);
      isOpen = false;
    },
  };
}

function describeFrame(direction: 'in' | 'out', frame: Buffer): TraceEvent {
  const bits = frame[2] as number;
  const flags: TraceEvent['flags'] = [];
  if (bits & DEAD) flags.push('dead');
  if (bits & FRAGMENT) flags.push('fragment');
  if (bits & ERROR) flags.push('error');
  const handle = handleOf(frame);
  return {
    time: Date.now(),
    direction,
    dst: dstOf(frame),
    src: srcOf(frame),
    handle: NAMES.get(handle) ?? handle,
    replyTo: replyToOf(frame),
    priority: PRIORITIES[bits & PRIORITY] ?? 'bulk',
    flags,
    bytes: frame.length - HEADER,
  };
}
