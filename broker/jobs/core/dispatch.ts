/**
 * The dispatch core: jobs in, batches to nodes, results back, each task committed once. Pure but for its own memory,
 * which nobody else holds: the same events give the same effects. What each part does stands in the part:
 *
 *   submissions.ts  what people want of jobs           sending.ts     which tasks go, tokens
 *   reports.ts      sessions, what nodes say           settling.ts    commit, retries, losses, checkpoints
 *   votes.ts        replicas and quarantine            stragglers.ts  second copies, taking back
 *   ending.ts       ends, needs, reductions, keeping   fetching.ts    values and checkpoints from the store
 *   commits.ts      what is written and said           journal.ts     nothing is promised before it is synced
 *   loading.ts      a start                            records.ts     keys and records
 *   heat.ts         jobs that wait for heat
 */
import type { Random } from '../../../shared/clock.ts';
import type { JobDocument, JobIs, JobState } from '../../../shared/schemas/job.ts';
import type { Placer, WhyNot } from '../placement/placer.ts';
import { finish, isOf } from './commits.ts';
import type { JobEffect, JobEvent, NodeView } from './events.ts';
import { heatChanged, heatHeld, waitsForHeat } from './heat.ts';
import { load } from './loading.ts';
import { report } from './reports.ts';
import { askInventory } from './sending.ts';
import { forgotten, nodeOf, offline, online } from './sessions.ts';
import { Core, currentRun, isOver, type JobRun, type NodeRun } from './state.ts';
import { rebalanceSoon } from './stragglers.ts';
import { order, setPriority, submit } from './submissions.ts';
import { task } from './tasks.ts';
import { viewOf } from './views.ts';
import { pardon } from './votes.ts';

/** Of one job, for those who ask. */
export interface JobFacts {
  readonly id: string;
  readonly document: JobDocument;
  readonly hash: string;
  readonly by: string;
  readonly state: JobState;
  readonly is: JobIs;
}

/** Why a job does not run: what holds the whole of it, or what each node says. */
export interface Explanation {
  /** One sentence; absent: it can be sent. */
  readonly why?: string;
  readonly nodes: readonly WhyNot[];
}

/** Jobs and tasks by what they do now. */
export interface Totals {
  readonly queued: number;
  readonly running: number;
  readonly tasks: { readonly queued: number; readonly running: number };
}

export class Dispatch {
  readonly #core: Core;
  /** The last `wake`; undefined: it is over. */
  #wake: number | undefined;

  constructor({ placer, random }: { readonly placer: Placer; readonly random: Random }) {
    this.#core = new Core(placer, random);
  }

  /**
   * Once, before anything else. Takes up what the store has below `loadPrefix`.
   * @param boot number of this start, higher than of any before (`bootKey`, synced). @param now monotonic, @param wall epoch; ms.
   */
  load(
    entries: readonly (readonly [key: string, value: string])[],
    boot: number,
    now: number,
    wall: number,
  ): readonly JobEffect[] {
    const core = this.#core;
    core.boot = boot;
    return this.#run(now, wall, () => load(core, entries));
  }

  /** @param now monotonic, decides; @param wall epoch, only for stamps and for what outlives a restart; ms. */
  step(event: JobEvent, now: number, wall: number): readonly JobEffect[] {
    return this.#run(now, wall, () => this.#hear(event));
  }

  #run(now: number, wall: number, work: () => void): readonly JobEffect[] {
    const core = this.#core;
    core.effects = [];
    core.now = Math.max(core.now, now);
    core.wall = wall;
    work();
    finish(core);
    const { next } = core.timers;
    if (next !== undefined && next !== this.#wake) {
      this.#wake = next;
      core.effects.push({ type: 'wake', at: next });
    }
    return core.effects;
  }

  #hear(event: JobEvent): void {
    const core = this.#core;
    switch (event.type) {
      case 'submit':
        submit(core, event);
        return;
      case 'order':
        order(core, event);
        return;
      case 'priority':
        setPriority(core, event);
        return;
      case 'node':
        if (event.view === undefined) {
          forgotten(core, event.node);
          return;
        }
        this.#see(nodeOf(core, event.node), event.view);
        return;
      case 'online':
        online(core, event.node, event.inst, event.epoch);
        return;
      case 'offline':
        offline(core, event.node);
        return;
      case 'again':
        for (const node of core.nodes.values()) if (node.session && node.ready) askInventory(core, node);
        return;
      case 'report':
        report(core, event.node, event.report);
        rebalanceSoon(core);
        return;
      case 'synced':
        for (const keep of core.journal.synced(event.write)) keep();
        return;
      case 'unsynced':
        core.journal.stuck = event.error;
        return;
      case 'values':
        core.reads.get(event.read)?.(event.values);
        core.reads.delete(event.read);
        return;
      case 'pardon':
        pardon(core, nodeOf(core, event.node));
        return;
      case 'tick':
        this.#wake = undefined;
        for (let due = core.timers.due(core.now); due; due = core.timers.due(core.now)) due();
    }
  }

  #see(node: NodeRun, view: NodeView): void {
    const core = this.#core;
    node.view = view;
    core.placer.node(node.id, view);
    const { heat = 0 } = view;
    if (heat !== node.heat) heatChanged(core, node, heat);
  }

  job(id: string): JobFacts | undefined {
    const job = this.#core.jobs.get(id);
    return job && facts(this.#core, job);
  }

  /** Of class heat: tasks that the node holds, and tasks that wait and that it may run. */
  heatWork(node: string): { readonly running: number; readonly waiting: number } {
    const core = this.#core;
    if (core.ofHeat.size === 0) return { running: 0, waiting: 0 };
    return { running: heatHeld(core, core.nodes.get(node)), waiting: core.placer.heatFor(node) };
  }

  /** In order of acceptance. */
  *jobs(): IterableIterator<JobFacts> {
    for (const job of this.#core.jobs.values()) yield facts(this.#core, job);
  }

  explain(id: string): Explanation | undefined {
    const job = this.#core.jobs.get(id);
    if (!job) return undefined;
    const why = held(this.#core, job);
    return {
      ...(why !== undefined && { why }),
      nodes: isOver(job) ? [] : this.#core.placer.explain(viewOf(currentRun(job))),
    };
  }

  totals(): Totals {
    const core = this.#core;
    let queued = 0;
    let running = 0;
    for (const { job, tasks, started } of core.recipes.values()) {
      if (isOver(job)) continue;
      running += started;
      queued += Math.max(0, tasks.n - tasks.ended - started);
    }
    return { queued: core.queuedJobs, running: core.runningJobs, tasks: { queued, running } };
  }
}

function facts(core: Core, job: JobRun): JobFacts {
  const { id, document, hash, by, state } = job;
  return { id, document, hash, by, state, is: isOf(core, job) };
}

function held(core: Core, job: JobRun): string | undefined {
  if (isOver(job)) return `it is over: ${job.state}`;
  if (core.journal.stuck) return `nothing can be written: ${core.journal.stuck.message}`;
  if (job.paused) return 'it is paused';
  if (job.unmet.size > 0) return `it waits for ${[...job.unmet].join(', ')}`;
  if (waitsForHeat(core, job)) return 'it waits for heat';
  const { tasks } = currentRun(job);
  const backoff = tasks.count(task.backoff);
  if (tasks.ended + tasks.count(task.live) === tasks.n) return 'all of it is done or with nodes';
  if (tasks.ended + tasks.count(task.live) + backoff === tasks.n) return `${backoff} tasks wait for their next attempt`;
  return undefined;
}
