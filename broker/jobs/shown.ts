/**
 * What everybody sees of jobs: `own` and `is`, retained, and `out`. As the rest of the projection they are written again at
 * every start and reconnect, and what is retained of jobs that are gone is cleared then.
 */
import type { Bus } from '../../shared/bus.ts';
import type { Log } from '../../shared/log.ts';
import type { JobDocument, JobIs } from '../../shared/schemas/job.ts';
import type { Store } from '../../shared/store.ts';
import { topicsOf } from '../../shared/topics.ts';
import { type DocumentRecord, documentKey, idOfKey } from './core/records.ts';

/** Characters of one key's value on `own`; longer ones are left out, and named. */
const longest = 1000;
/** Documents read, and jobs published, before the next ones are. */
const page = 64;
/** Above every character that a key may hold. */
const last = '\uffff';

export interface ShownParts {
  readonly base: string;
  readonly bus: Bus;
  readonly log: Log;
  readonly store: Store;
  /** Whether this supervisor may speak. */
  maySpeak(): boolean;
}

export class Shown {
  readonly #parts: ShownParts;
  readonly #topics: ReturnType<typeof topicsOf>;
  readonly #is = new Map<string, JobIs>();

  constructor(parts: ShownParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
  }

  has = (job: string): boolean => this.#is.has(job);

  /** @param document where it is known, of a job that is new. */
  is(job: string, is: JobIs | undefined, document?: JobDocument): void {
    if (is) this.#is.set(job, is);
    else this.#is.delete(job);
    if (is && document) this.#own(job, document, is.by);
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

  /** Jobs that wait, and that run. */
  totals(): { jobs_queued: number; jobs_running: number } {
    let [jobs_queued, jobs_running] = [0, 0];
    for (const { state } of this.#is.values()) {
      if (state === 'queued') jobs_queued++;
      else if (state === 'running') jobs_running++;
    }
    return { jobs_queued, jobs_running };
  }

  /** Writes everything again; `done` also where the broker is gone meanwhile. */
  everything(done: () => void): void {
    this.#from(documentKey(''), done);
  }

  #from(key: string, done: () => void): void {
    const { store, log, maySpeak } = this.#parts;
    if (!maySpeak()) {
      done();
      return;
    }
    store.readRange(key, documentKey(last), page, (error, entries) => {
      if (error) log.error({ error: error.message }, 'the jobs cannot be read: they are not shown');
      if (entries.length === 0) {
        done();
        return;
      }
      let waiting = 1;
      const one = () => {
        if (--waiting > 0) return;
        if (entries.length < page) done();
        else this.#from(`${entries.at(-1)?.[0]}\0`, done);
      };
      for (const [name, text] of entries) {
        const job = idOfKey(name);
        const is = this.#is.get(job);
        if (!is) continue;
        waiting++;
        this.#own(job, (JSON.parse(text) as DocumentRecord).document, is.by);
        this.#say(job, 'is', JSON.stringify(is), one);
      }
      one();
    });
  }

  #own(job: string, document: JobDocument, by: string): void {
    this.#say(job, 'own', ownOf(document, by));
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
