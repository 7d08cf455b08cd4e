/**
 * Several jobs that are one piece of work: so many under way at a time, the next one taken from the input only when an
 * earlier one is through, and all of them canceled where somebody has had enough.
 */
import type { JobIs } from '../shared/schemas/job.ts';
import type { JobOut } from '../shared/schemas/job-out.ts';
import { type HearthError, JobError } from './errors.ts';
import { Follow } from './follow.ts';
import type { Session } from './session.ts';
import type { JobInput } from './work.ts';

export interface Part {
  readonly id: string;
  readonly document: JobInput;
  /** Index of its first task in the whole. */
  readonly offset: number;
}

export interface PartOut {
  readonly part: Part;
  /** Its number among the parts, from 0. */
  readonly number: number;
  /** undefined: that was all of it. */
  readonly batch: JobOut | undefined;
}

export interface PartsOptions {
  readonly most: number;
  readonly signal?: AbortSignal | undefined;
  readonly onIs?: ((number: number, is: JobIs) => void) | undefined;
}

type Event =
  | { readonly type: 'part'; readonly part: Part | undefined }
  | { readonly type: 'out'; readonly out: PartOut }
  | { readonly type: 'error'; readonly error: unknown };

const cancelMs = 5000;

/**
 * What comes of the parts, as it comes; of each part in order. @throws JobError where a part was canceled, rejected or
 * timed out, HearthError where one was refused, the signal's reason, what the input throws.
 */
export async function* runParts(
  session: Session,
  parts: AsyncIterator<Part>,
  { most, signal, onIs }: PartsOptions,
): AsyncGenerator<PartOut, void> {
  signal?.throwIfAborted();
  const events: Event[] = [];
  const active = new Map<number, { readonly part: Part; readonly follow: Follow }>();
  let wake = () => {};
  const post = (event: Event) => {
    events.push(event);
    wake();
  };
  const failed = (error: unknown) => post({ type: 'error', error });
  const cancelAll = () =>
    Promise.allSettled(
      [...active.values()].map(({ part }) => session.order(part.id, 'cancel', {}, { patienceMs: cancelMs })),
    );
  let canceled: Promise<unknown> | undefined;
  const abort = () => {
    canceled ??= cancelAll();
    failed(signal?.reason);
  };
  signal?.addEventListener('abort', abort);
  let pulling = false;
  let exhausted = false;
  let count = 0;
  const pull = () => {
    pulling = true;
    parts.next().then(({ done, value }) => post({ type: 'part', part: done ? undefined : value }), failed);
  };
  const hear = (number: number, part: Part, follow: Follow) =>
    follow.next().then(batch => post({ type: 'out', out: { part, number, batch } }), failed);
  try {
    for (;;) {
      if (!pulling && !exhausted && active.size < most) pull();
      if (exhausted && active.size === 0) return;
      const event = events.shift();
      if (!event) {
        await new Promise<void>(resolve => {
          wake = resolve;
        });
        continue;
      }
      if (event.type === 'error') throw event.error;
      if (event.type === 'part') {
        pulling = false;
        const { part } = event;
        if (!part) exhausted = true;
        else {
          const number = count++;
          const follow = new Follow(session, part.id, onIs ? { onIs: is => onIs(number, is) } : {});
          active.set(number, { part, follow });
          session.submit(part.id, part.document, { signal }).catch(failed);
          void hear(number, part, follow);
        }
        continue;
      }
      const { number, part, batch } = event.out;
      const follow = active.get(number)?.follow;
      if (!follow) continue;
      if (!batch) {
        follow.close();
        active.delete(number);
        const error = cutShort(part.id, follow.is);
        if (error) throw error;
      }
      // Suspended here for as long as whoever reads is busy: nothing is pulled meanwhile.
      yield event.out;
      if (batch) void hear(number, part, follow);
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    for (const { follow } of active.values()) follow.close();
    await (canceled ?? cancelAll());
    void Promise.resolve(parts.return?.()).catch(() => {});
  }
}

/** A job that ended before its time, rather than with failed tasks. */
function cutShort(id: string, is: JobIs | undefined): HearthError | undefined {
  if (!is || (is.state !== 'canceled' && is.state !== 'rejected' && is.state !== 'timed-out')) return undefined;
  return new JobError(is.state, `${id} was ${is.state}${is.err === '' ? '' : `: ${is.err}`}`, id);
}
