/**
 * Asks every Wemo Insight each ten seconds, one question at a time for each, on the port that answered last; where
 * nobody answers, the next question goes to the next port that it may have moved to. The question itself is behind {@link Ask}.
 */
import type { Clock, Timer } from '../../../shared/clock.ts';
import { sentence } from '../../../shared/errors.ts';
import { type WemoPlace, wemoPlace, wemoPorts } from '../../../shared/readings/wemo-place.ts';
import { type Insight, insightIn } from './wemo.ts';

/** Puts the question once. `done` exactly once, later, with the answer's text or why there is none. */
export type Ask = (place: WemoPlace, done: (error: string | undefined, answer: string) => void) => void;

export interface WemoParts {
  readonly clock: Clock;
  readonly ask: Ask;
  meter(node: string, reading: Insight & { readonly atMs: number }): void;
}

export const wemoEveryMs = 10_000;
/** Plugs that are asked. */
export const mostWemos = 200;

interface Polled {
  readonly url: string;
  readonly host: string;
  /** Into {@link wemoPorts}. */
  port: number;
  timer: Timer | undefined;
  why: string | undefined;
}

export class WemoPolls {
  readonly #parts: WemoParts;
  readonly #polled = new Map<string, Polled>();
  readonly #wrong = new Map<string, string>();

  constructor(parts: WemoParts) {
    this.#parts = parts;
  }

  /** From now on these and no others; who is asked already goes on. */
  replace(wanted: ReadonlyMap<string, string>): void {
    for (const [node, { url, timer }] of this.#polled) {
      if (wanted.get(node) === url) continue;
      timer?.cancel();
      this.#polled.delete(node);
    }
    this.#wrong.clear();
    for (const [node, url] of wanted) {
      if (this.#polled.has(node)) continue;
      const place = wemoPlace(url);
      if (!place.ok) this.#wrong.set(node, sentence(place.error));
      else if (this.#polled.size >= mostWemos) this.#wrong.set(node, `more than ${mostWemos} Wemos are asked already`);
      else this.#begin(node, url, place.value);
    }
  }

  /** Why nothing is known of a node's plug; undefined: it answered, or was not asked yet. */
  why(node: string): string | undefined {
    return this.#wrong.get(node) ?? this.#polled.get(node)?.why;
  }

  stop(): void {
    this.replace(new Map());
  }

  #begin(node: string, url: string, { host, port }: WemoPlace): void {
    const polled: Polled = {
      url,
      host,
      port: wemoPorts.indexOf(port),
      timer: undefined,
      why: undefined,
    };
    this.#polled.set(node, polled);
    // Spread over the ten seconds, so that a house full of them is not asked at once.
    this.#later(node, polled, (this.#polled.size * 487) % wemoEveryMs);
  }

  #later(node: string, polled: Polled, ms: number): void {
    polled.timer = this.#parts.clock.after(ms, () => this.#question(node, polled));
  }

  #question(node: string, polled: Polled): void {
    const { ask, clock, meter } = this.#parts;
    ask({ host: polled.host, port: wemoPorts[polled.port] ?? 0 }, (error, answer) => {
      // Another one stands in the document by now, or none.
      if (this.#polled.get(node) !== polled) return;
      const read = error === undefined ? insightIn(answer) : undefined;
      if (read?.ok) {
        polled.why = undefined;
        meter(node, { ...read.value, atMs: clock.now() });
      } else {
        polled.why = `Wemo ${polled.host}: ${read ? sentence(read.error) : error}`;
        polled.port = (polled.port + 1) % wemoPorts.length;
      }
      this.#later(node, polled, wemoEveryMs);
    });
  }
}
