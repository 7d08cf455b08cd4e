/**
 * What is to lie on the user's broker: of each retained topic the newest, whether it is in reach or not; answers that
 * wait for it; and how often telemetry goes over. Pure.
 */

export const keptLimits = {
  /** Topics: five of each of 10,000 nodes, and the rooms'. */
  topics: 52_000,
  bytes: 64 * 1024 * 1024,
  /** Answers that wait; the oldest go first. */
  answers: 200,
  /** Late means lost. */
  answersMs: 60_000,
  /** Between two loads, or powers, of one node. Timers of what comes every 5 or 10 s are a little early at times. */
  paceMs: 9500,
} as const;

export interface Answer {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly at: number;
}

export class Kept {
  readonly #wanted = new Map<string, Buffer>();
  /** Published there in this process and not wanted any more. */
  readonly #gone = new Set<string>();
  readonly #paced = new Map<string, number>();
  #answers: Answer[] = [];
  #bytes = 0;
  /** Messages that found no room, ever. */
  dropped = 0;

  /** @returns whether it is to be sent: it says something new. */
  retain(topic: string, payload: string | Uint8Array): boolean {
    const before = this.#wanted.get(topic);
    if (payload.length === 0) {
      if (!before) return false;
      this.#wanted.delete(topic);
      this.#bytes -= before.length;
      if (this.#gone.size < keptLimits.topics) this.#gone.add(topic);
      return true;
    }
    // A copy: what was read from a socket holds on to all that came with it.
    const kept = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload);
    if (before?.equals(kept)) return false;
    const bytes = kept.length - (before?.length ?? 0);
    if (this.#wanted.size + (before ? 0 : 1) > keptLimits.topics || this.#bytes + bytes > keptLimits.bytes) {
      this.dropped++;
      return false;
    }
    this.#bytes += bytes;
    this.#wanted.set(topic, kept);
    this.#gone.delete(topic);
    return true;
  }

  /** Everything that is to be there, and what is to be removed with an empty payload. */
  *all(): Generator<readonly [topic: string, payload: string | Uint8Array]> {
    for (const topic of this.#gone) yield [topic, ''];
    yield* this.#wanted;
  }

  wants(topic: string): boolean {
    return this.#wanted.has(topic);
  }

  /** Whether telemetry on this topic may go over now. */
  pace(topic: string, now: number): boolean {
    const last = this.#paced.get(topic);
    if (last !== undefined && now - last < keptLimits.paceMs) return false;
    const oldest = this.#paced.size >= keptLimits.topics ? this.#paced.keys().next().value : undefined;
    if (oldest !== undefined) this.#paced.delete(oldest);
    this.#paced.set(topic, now);
    return true;
  }

  answer(answer: Answer): void {
    this.#answers.push(answer);
    if (this.#answers.length <= keptLimits.answers) return;
    this.#answers.shift();
    this.dropped++;
  }

  /** Those that are not too late yet; afterwards none wait. */
  takeAnswers(now: number): readonly Answer[] {
    const answers = this.#answers.filter(({ at }) => now - at <= keptLimits.answersMs);
    this.dropped += this.#answers.length - answers.length;
    this.#answers = [];
    return answers;
  }
}
