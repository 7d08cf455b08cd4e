/** Worker processes of one kind of module: kept warm between lanes, in bounds. */
import type { Ready } from './source.ts';
import { Worker, type WorkerParts } from './worker.ts';

/** How long a worker waits for the next lane. */
export const warmMs = 30_000;

interface Idle {
  readonly key: string;
  readonly worker: Worker;
  readonly timer: NodeJS.Timeout;
}

export class Pool {
  readonly #parts: WorkerParts;
  readonly #warmMs: number;
  /** The one that waits for longest first. */
  #idle: Idle[] = [];
  readonly #all = new Set<Worker>();
  #most = 1;
  #closed: (() => void) | undefined;

  constructor(parts: WorkerParts, keepMs = warmMs) {
    this.#parts = parts;
    this.#warmMs = keepMs;
  }

  /** Warm ones at the same time. */
  set most(slots: number) {
    this.#most = Math.max(1, slots);
    this.#trim();
  }
  /** Nothing is started any more. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  take(ready: Ready): Worker {
    // The last that came is the likeliest to have its memory at hand.
    const at = this.#idle.findLastIndex(({ key, worker }) => key === ready.key && worker.isAlive);
    const [warm] = at < 0 ? [] : this.#idle.splice(at, 1);
    if (warm) {
      clearTimeout(warm.timer);
      return warm.worker;
    }
    const worker = new Worker(this.#parts, ready.launch(), ready.setup);
    this.#all.add(worker);
    worker.left = () => {
      this.#all.delete(worker);
      this.#drop(worker);
      if (this.#all.size === 0) this.#closed?.();
    };
    return worker;
  }

  /** It holds nothing; nobody hears it any more. */
  giveBack(key: string, worker: Worker): void {
    worker.mute();
    if (!worker.isAlive) return;
    if (this.#closed) {
      worker.kill();
      return;
    }
    const timer = setTimeout(() => this.#end(worker), this.#warmMs);
    this.#idle.push({ key, worker, timer });
    this.#trim();
  }

  forget(r: number): void {
    for (const worker of this.#all) worker.forget(r);
  }
  /** Those that wait under these keys. */
  endIdle(of: (key: string) => boolean = () => true): void {
    for (const { key, worker } of [...this.#idle]) if (of(key)) this.#end(worker);
  }
  close(done: () => void): void {
    this.#closed = done;
    for (const worker of this.#all) worker.kill();
    if (this.#all.size === 0) setImmediate(done);
  }

  #trim(): void {
    while (this.#idle.length > this.#most) this.#end(this.#idle[0]?.worker);
  }
  #end(worker: Worker | undefined): void {
    if (!worker) return;
    this.#drop(worker);
    worker.kill();
  }
  #drop(worker: Worker): void {
    const found = this.#idle.find(each => each.worker === worker);
    clearTimeout(found?.timer);
    this.#idle = this.#idle.filter(each => each !== found);
  }
}
