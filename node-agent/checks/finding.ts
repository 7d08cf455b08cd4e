/** What one look at a check found. */
import { printable } from '../../shared/names.ts';
import type { Check } from '../../shared/schemas/check.ts';

export interface Finding {
  /** `unknown`: it could not be told, which is never as good as `pass`. */
  readonly state: 'pass' | 'fail' | 'unknown';
  /** One line for people, at most 200 characters, without secrets. */
  readonly saw: string;
}

const line = (text: string): string => printable(text.trim(), 200);
export const pass = (saw: string): Finding => ({ state: 'pass', saw: line(saw) });
export const fail = (saw: string): Finding => ({ state: 'fail', saw: line(saw) });
export const unknown = (saw: string): Finding => ({ state: 'unknown', saw: line(saw) });

/** Who looks: the real one at this machine (real-prober.ts), others in tests and simulations. */
export interface Prober {
  /**
   * One look. `done` is called exactly once, also after `signal`, which says that the time is over or nobody wants to
   * know any more; only then is all of it gone: no process, no socket, no thread.
   */
  probe(check: Check, signal: AbortSignal, done: (finding: Finding) => void): void;
}
