/** What runs tasks on a simulated machine: it outlives agents, and dies with the power. */
import type { Ended, Executor, ExecutorHandlers } from '../../node-agent/work/executor.ts';
import type { OutboxDisk } from '../../node-agent/work/outbox.ts';
import { SimulatedExecutor } from '../../node-agent/work/simulated-executor.ts';
import type { Process } from './clock.ts';
import { Dice } from './random.ts';
import type { World } from './world.ts';

/** The outbox on the machine's disk: what was not synced may be gone after a power cut. */
class SimOutbox implements OutboxDisk {
  kept = new Map<number, Ended>();
  #unsynced: number[] = [];
  readonly #full: () => boolean;

  constructor(full: () => boolean) {
    this.#full = full;
  }

  load(): readonly Ended[] {
    return [...this.kept.values()];
  }

  append(results: readonly Ended[], sync: boolean): void {
    if (this.#full()) throw new Error('no space left on device');
    for (const ended of results) {
      this.kept.set(ended.token, ended);
      this.#unsynced.push(ended.token);
    }
    if (sync) this.#unsynced = [];
  }

  remove(tokens: readonly number[]): void {
    if (!this.#full()) for (const token of tokens) this.kept.delete(token);
  }

  close(): void {}

  powerCut(dice: Dice): void {
    for (const token of this.#unsynced.splice(dice.below(this.#unsynced.length + 1))) this.kept.delete(token);
    this.#unsynced = [];
  }
}

export class Tasks {
  readonly outbox: SimOutbox;
  #executor: SimulatedExecutor;
  readonly #world: World;
  readonly #kernel: Process;
  readonly #name: string;
  #lives = 0;

  /** @param kernel what goes on when agents end. */
  constructor(world: World, name: string, kernel: Process, full: () => boolean) {
    this.#world = world;
    this.#kernel = kernel;
    this.#name = name;
    this.outbox = new SimOutbox(full);
    this.#executor = this.#newExecutor();
  }

  #newExecutor(): SimulatedExecutor {
    const random = new Dice(this.#world.seed, `${this.#name} tasks ${++this.#lives}`);
    return new SimulatedExecutor({ clock: this.#kernel.clock, random, plugins: ['sim'] });
  }

  /** The executor as one agent's process sees it: nothing reaches it while it is stalled, or dead. */
  executorFor(process: Process): Executor {
    const executor = this.#executor;
    const stream = {};
    const arrive = (run: () => void) => process.arrive(stream, run);
    const through = (handlers: ExecutorHandlers): ExecutorHandlers => ({
      ready: tasks => handlers.ready(tasks),
      started: tokens => arrive(() => handlers.started(tokens)),
      ended: results => {
        if (this.#world.breaks !== 'mute-executor') arrive(() => handlers.ended(results));
      },
      checkpoint: (token, base64) => arrive(() => handlers.checkpoint(token, base64)),
      dropped: tokens => arrive(() => handlers.dropped(tokens)),
      frozen: tokens => arrive(() => handlers.frozen(tokens)),
      lost: reason => arrive(() => handlers.lost(reason)),
    });
    return {
      attach: handlers => executor.attach(through(handlers)),
      configure: settings => executor.configure(settings),
      run: (recipes, tasks) => executor.run(recipes, tasks),
      forget: recipes => executor.forget(recipes),
      heat: most => executor.heat(most),
      urgent: recipes => executor.urgent(recipes),
      taken: tokens => executor.taken(tokens),
      takeBack: tokens => executor.takeBack(tokens),
      kill: tokens => executor.kill(tokens),
      plugins: done => executor.plugins(done),
      close: (keep, done) => executor.close(keep, done),
    };
  }

  agentGone(): void {
    this.#executor.detach();
  }

  executorDies(): void {
    this.#world.note(this.#name, 'the executor of tasks dies');
    this.#executor.crash('it was killed');
  }

  powerCut(): void {
    this.#executor.close(false, () => {});
    this.#executor = this.#newExecutor();
    this.outbox.powerCut(this.#world.dice.machines);
  }

  wipe(): void {
    this.outbox.kept.clear();
  }
}
