/** The states of several jobs as one. */
import type { JobIs } from '../shared/schemas/job.ts';
import { hasEnded } from './follow.ts';
import type { Progress } from './work.ts';

type Counted = { -readonly [key in keyof Progress]: number };
const keys = ['tasks', 'queued', 'running', 'succeeded', 'failed'] as const;
const nothing = (): Counted => ({ tasks: 0, queued: 0, running: 0, succeeded: 0, failed: 0, wh: 0 });

export class Tally {
  readonly #tell: ((progress: Progress) => void) | undefined;
  readonly #live = new Map<number, JobIs>();
  /** Of jobs that have ended: however many there were. */
  readonly #ended = nothing();

  constructor(tell: ((progress: Progress) => void) | undefined) {
    this.#tell = tell;
  }

  /** What one of the jobs says of itself. */
  readonly onIs = (number: number, is: JobIs): void => {
    if (!this.#tell) return;
    if (hasEnded(is)) {
      this.#live.delete(number);
      add(this.#ended, is);
    } else this.#live.set(number, is);
    const sum = { ...this.#ended };
    for (const one of this.#live.values()) add(sum, one);
    this.#tell(sum);
  };
}

function add(sum: Counted, is: JobIs): void {
  for (const key of keys) sum[key] += is[key];
  sum.wh += is.wh ?? 0;
}
