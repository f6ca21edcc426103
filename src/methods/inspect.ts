/**
 * The debugger of a context: connects V8's inspector of the main thread with the master, from the I/O thread, which goes on while the main
 * thread stands at a breakpoint. No port is opened on this machine. Sent on the first `inspect()`.
 */
import { type InspectorNotification, Session } from 'inspector';
import { workerData } from 'worker_threads';
import { type MitosError, mitosError } from '../core/errors.ts';
import { INSPECT, INSPECTED } from '../core/handles.ts';
import type { Hop } from '../core/hop.ts';
import { END_SESSION, InspectLane, makePart, OPEN_SESSION, readPart } from '../core/inspect-message.ts';
import { toReason } from '../core/reason.ts';
import { dataOf, makeFrame, NORMAL, srcOf } from '../core/wire.ts';

interface Debuggee {
  session: Session;
  lane: InspectLane;
}

/** Lets who stands above debug the main thread. */
export function install(hop: Hop): void {
  const debuggees: Map<string, Debuggee> = new Map();
  hop.extensions.set(INSPECT, (frame, _from, isTrusted) => {
    const src = srcOf(frame);
    const { session, flags, text } = readPart(dataOf(frame));
    const key = `${src} ${session}`;
    const known = debuggees.get(key);
    try {
      if (!isTrusted) throw mitosError('ERR_MITOS_POLICY', `Context ${src} may not debug context ${hop.config.id}`);
      if (flags & OPEN_SESSION) {
        const send = (part: Buffer): void => hop.router.route(makeFrame(NORMAL, src, hop.config.id, INSPECTED, 0, part), undefined);
        debuggees.set(key, debuggeeFor(session, send));
        hop.router.reply(frame);
      } else if (known && flags & END_SESSION) {
        debuggees.delete(key);
        leave(known.session);
      } else if (known) known.lane.take(flags, text);
    } catch (error) {
      hop.router.refuse(frame, toReason(error as MitosError));
    }
  });
}

function debuggeeFor(number: number, send: (part: Buffer) => void): Debuggee {
  if ((workerData as { mitos?: string } | null)?.mitos !== 'io') {
    throw mitosError(
      'ERR_MITOS_RESOURCE',
      'Cannot debug this context: it has one thread, which could not talk while it stands at a breakpoint',
      {
        hint: 'start it without threadless, and not by worker()',
      },
    );
  }
  const session = new Session();
  try {
    session.connectToMainThread();
  } catch (error) {
    throw mitosError('ERR_MITOS_RESOURCE', `Cannot debug this context: ${(error as Error).message}`);
  }
  const lane = new InspectLane(number, send, (text) => {
    let id: number;
    try {
      const message = JSON.parse(text) as { id: number; method: string; params?: object };
      id = message.id;
      session.post(message.method, message.params || {}, (error, result) =>
        lane.send(JSON.stringify(error ? failure(id, error) : { id, result })),
      );
    } catch (error) {
      // What is no message of the protocol ends the session, as V8 would.
      send(makePart(number, END_SESSION, Buffer.from(String(error))));
    }
  });
  session.on('inspectorNotification', (notification: InspectorNotification<object>) => lane.send(JSON.stringify(notification)));
  return { session, lane };
}

/** Lets go of the main thread. Node 12 to 16 would abort if a session were disconnected: there they only stop listening. */
function leave(session: Session): void {
  session.removeAllListeners();
  if (Number.parseInt(process.versions.node, 10) >= 18) return session.disconnect();
  for (const domain of ['Debugger', 'Runtime', 'Profiler', 'HeapProfiler']) session.post(`${domain}.disable`);
}

/** An error of the inspector as its protocol says it; Node puts the number into the message, or gives the object as it is. */
function failure(id: number, error: Error): object {
  const [, code, message] = /^Inspector error (-?\d+): ([^]*)/.exec(error.message) || [];
  return { id, error: { code: Number(code || (error as { code?: unknown }).code) || -32000, message: message || error.message } };
}
