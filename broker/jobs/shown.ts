/**
 * What everybody sees of jobs: `own` and `is`, retained, and `out`. As the rest of the projection they are written again at
 * every start and reconnect, and what is retained of jobs that are gone is cleared then.
 */
import type { Bus } from '../../shared/bus.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { JobDocument, JobIs } from '../../shared/schemas/job.ts';
import { topicsOf } from '../../shared/topics.ts';

/** Characters of one key's value on `own`; longer ones are left out, and named. */
const longest = 1000;
/** Jobs published in one turn of the loop, and before the next ones are. */
const page = 64;

export interface ShownParts {
  readonly base: string;
  readonly bus: Bus;
  readonly log: Log;
  readonly clock: Clock;
  document(job: string): JobDocument | undefined;
  /** Whether this supervisor may speak. */
  maySpeak(): boolean;
}

export class Shown {
  readonly #parts: ShownParts;
  readonly #topics: ReturnType<typeof topicsOf>;
  readonly #is = new Map<string, JobIs>();
  /** Everything was, or is being, written: what comes now is news. Before, it is part of that. */
  #live = false;

  constructor(parts: ShownParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
  }

  has = (job: string): boolean => this.#is.has(job);

  jobs = (): Iterable<string> => this.#is.keys();

  is(job: string, is: JobIs | undefined): void {
    const isNew = !this.#is.has(job);
    if (is) this.#is.set(job, is);
    else this.#is.delete(job);
    if (!this.#live) return;
    if (is && isNew) this.#own(job);
    this.#say(job, 'is', is ? JSON.stringify(is) : '');
    // Last: as long as it is there, a supervisor that starts knows of what is to be cleared.
    if (!is) this.#say(job, 'own', '');
  }

  out(job: string, text: string, done?: () => void): void {
    const { bus, maySpeak } = this.#parts;
    if (maySpeak()) bus.publish(this.#topics.of('job', job, 'out'), text, { qos: 1 }, () => done?.());
    else done?.();
  }

  /** A retained `own` on the broker. */
  found(job: string): void {
    if (!this.#is.has(job)) this.is(job, undefined);
  }

  /** Writes everything again; `done` also where the broker is gone meanwhile. */
  everything(done: () => void): void {
    this.#live = true;
    const jobs = [...this.#is.keys()];
    let next = 0;
    const more = () => {
      const some = jobs.slice(next, next + page);
      next += page;
      let waiting = some.length + 1;
      const one = () => {
        if (--waiting > 0) return;
        if (next < jobs.length && this.#parts.maySpeak()) this.#parts.clock.after(0, more);
        else done();
      };
      for (const job of some) {
        const is = this.#is.get(job);
        this.#own(job);
        if (is) this.#say(job, 'is', JSON.stringify(is), one);
        else one();
      }
      one();
    };
    more();
  }

  #own(job: string): void {
    const is = this.#is.get(job);
    const document = is && this.#parts.document(job);
    if (is && document) this.#say(job, 'own', ownOf(document, is.by));
  }

  #say(job: string, part: 'own' | 'is', text: string, done?: () => void): void {
    const { bus, log, maySpeak } = this.#parts;
    if (!maySpeak()) {
      done?.();
      return;
    }
    const topic = this.#topics.of('job', job, part);
    bus.publish(topic, text, { qos: 1, retain: true }, error => {
      // An outside broker that is gone: everything is written again when it is back.
      if (error) log.debug({ topic, error: error.message }, 'not published');
      done?.();
    });
  }
}

/** `own` as published: the keys whose values are long are named on `omitted`. */
export function ownOf({ lock: _, ...document }: JobDocument, by: string): string {
  const shown: Record<string, unknown> = {};
  const omitted: string[] = [];
  for (const [key, value] of Object.entries(document)) {
    if ((JSON.stringify(value) ?? '').length > longest) omitted.push(key);
    else shown[key] = value;
  }
  return JSON.stringify({ ...shown, by, ...(omitted.length === 0 ? {} : { omitted: omitted.join(',') }) });
}
