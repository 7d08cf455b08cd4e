/** Runs jobs a few at a time, and gives up those that have not begun. */

type Job = (signal: AbortSignal) => Promise<string | undefined>;

export class Lanes {
  readonly #most: number;
  #queue: { readonly job: Job; readonly done: (error?: string) => void }[] = [];
  #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(most: number) {
    this.#most = most;
  }

  get isIdle(): boolean {
    return this.#running.size === 0 && this.#queue.length === 0;
  }

  /** @param job resolves with one sentence where it went wrong, and never rejects. */
  add(job: Job, done: (error?: string) => void): void {
    this.#queue.push({ job, done });
    this.#turn();
  }

  #turn(): void {
    while (this.#running.size < this.#most) {
      const next = this.#queue.shift();
      if (!next) return;
      const { signal } = this.#stop;
      const running: Promise<void> = next.job(signal).then(error => {
        this.#running.delete(running);
        next.done(error);
        this.#turn();
      });
      this.#running.add(running);
    }
  }

  /** What waits is not begun, what runs is asked to end. Resolves when nothing runs. */
  async giveUp(): Promise<void> {
    const given = this.#queue;
    this.#queue = [];
    this.#stop.abort();
    this.#stop = new AbortController();
    for (const { done } of given) done('given up: something else is wanted now');
    await Promise.all(this.#running);
  }
}
