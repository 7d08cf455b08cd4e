/**
 * Jobs: carries out what the dispatch core decides, and tells it what happens. Decides nothing itself; callbacks only, so
 * that the simulator runs it in virtual time.
 */
import type { Timer } from '../../shared/clock.ts';
import { type Result, sentence } from '../../shared/errors.ts';
import { compileWhere } from '../../shared/jobs/where.ts';
import { printable } from '../../shared/names.ts';
import type { JobIs } from '../../shared/schemas/job.ts';
import type { Report } from '../../shared/schemas/work.ts';
import type { StoreOp } from '../../shared/store.ts';
import type { ArtifactUse } from '../artifacts/uses.ts';
import type { Asked } from '../orders/answers.ts';
import { begin, firstSeq } from './beginning.ts';
import { CodeAudit } from './code-audit.ts';
import { Dispatch } from './core/dispatch.ts';
import type { JobEffect, JobEvent } from './core/events.ts';
import { idOfKey, loadPrefix, rememberedKey } from './core/records.ts';
import { Crew, type NodeSession } from './crew.ts';
import { Desk } from './desk.ts';
import { NodeViews, type OfHeating } from './node-view.ts';
import type { JobsParts } from './parts.ts';
import { Placement } from './placement/placement.ts';
import { Remembering } from './remembering.ts';
import { Replays } from './replays.ts';
import { Said } from './said.ts';
import { Shown } from './shown.ts';
import { JobUses } from './uses.ts';
import { Writing } from './writing.ts';

const complainEveryMs = 60_000;
const mostHeat = 4096;

export class Jobs {
  readonly #parts: JobsParts;
  readonly #core: Dispatch;
  readonly #writing: Writing;
  readonly #shown: Shown;
  readonly #replays: Replays;
  readonly #desk: Desk;
  readonly #crew: Crew;
  readonly #views = new NodeViews();
  readonly #heat = new Map<string, OfHeating>();
  readonly #said: Said;
  readonly #remembering: Remembering;
  readonly #uses = new JobUses();
  readonly #code: CodeAudit;
  #queue: JobEvent[] = [];
  #running = false;
  #timer: Timer | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #stopped = false;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: JobsParts) {
    this.#parts = parts;
    const { base, bus, store, clock, log, answers, options, seal, maySpeak } = parts;
    const placer = new Placement();
    if (options.shares) placer.shares(options.shares);
    const core = new Dispatch({ placer, random: parts.random });
    this.#core = core;
    this.#writing = new Writing({
      ...{ store, clock, log },
      synced: write => {
        this.#desk.synced(write);
        this.#feed({ type: 'synced', write });
      },
      unsynced: (write, error) => this.#feed({ type: 'unsynced', write, error }),
    });
    this.#shown = new Shown({ base, bus, clock, log, maySpeak, document: job => core.job(job)?.document });
    this.#remembering = new Remembering({ store, clock, log });
    this.#said = new Said(parts.journal);
    this.#code = new CodeAudit(options.audit);
    this.#replays = new Replays({ store, out: (job, text, done) => this.#shown.out(job, text, done) });
    this.#desk = new Desk({
      ...{ store, answers, replays: this.#replays, inline: options.inline ?? [], audit: options.audit },
      ...{ lines: options.lines, pin: options.pin, checkWhere: compileWhere },
      feed: event => this.#feed(event),
      has: this.#shown.has,
      jobs: this.#shown.jobs,
      isNew: job => this.#remembering.isNew(job),
      explain: job => core.explain(job),
    });
    this.#crew = new Crew({
      ...{ base, bus, log, seal },
      turned: (node, session) => {
        if (session) this.nodeChanged(node);
        this.#feed(session ? { type: 'online', node, ...session } : { type: 'offline', node });
      },
    });
  }

  /** Reads the journal, and raises the number of this start. `done` runs once, with one sentence where that failed. */
  load(done: (error: string | undefined, boot: number) => void): void {
    begin(this.#parts.store, (error, entries, boot) => done(error ?? this.#loaded(entries, boot), boot));
  }

  #loaded(entries: readonly (readonly [key: string, value: string])[], boot: number): string | undefined {
    const { clock } = this.#parts;
    this.#crew.begin(firstSeq(boot));
    try {
      this.#uses.load(entries);
      const ofCore = entries.filter(([key]) => key.startsWith(loadPrefix));
      const effects = this.#core.load(ofCore, boot, clock.now(), clock.wall());
      for (const { id, is } of this.#core.jobs()) this.#told(id, is);
      this.#run(effects);
      this.changed(this.#parts.journal.durable.keys());
      this.#remembering.start();
      return undefined;
    } catch (problem) {
      const why = printable((problem as Error).message, 200);
      return `the journal's jobs cannot be read (${why}): restore the data folder from a backup`;
    }
  }

  /** Alone on this base: everything retained is written again. */
  everything(done: () => void): void {
    this.#shown.everything(done);
  }

  set = (asked: Asked): void => this.#desk.set(asked);
  do = (asked: Asked): void => this.#desk.do(asked);
  /** A retained `own` of a job. */
  found = (job: string): void => this.#shown.found(job);
  totals = (): { queued: number; running: number } => this.#core.totals();
  /** Artifacts that jobs name, or their results. */
  usedArtifacts = (): Iterable<ArtifactUse> => this.#uses.all();

  /** The node's session by presence; undefined: it is offline. */
  session(node: string, session: NodeSession | undefined): void {
    this.#crew.session(node, session);
  }

  /** Connected anew, and alone on this base. */
  again(): void {
    this.#feed({ type: 'again' });
  }

  /** Facts or telemetry of a node are others. */
  nodeChanged(node: string): void {
    const heat = this.#heat.get(node);
    const view = this.#views.of(node, this.#parts.view.get(node), this.#said.of(node), heat);
    this.#feed({ type: 'node', node, view });
  }

  /** Slots that tasks of class `heat` may use on that node from now on, those that all others take counted in; 0: none. */
  heat(node: string, slots: number): void {
    const known = slots > 0 ? Math.min(mostHeat, Math.floor(slots)) : 0;
    const before = this.#heat.get(node);
    if (known === (before?.slots ?? 0)) return;
    this.#heat.set(node, { ...before, slots: known });
    this.nodeChanged(node);
  }

  /** What the machine draws, W: energy of tasks goes by it. It counts from the node's next load on. */
  drawn(node: string, watts: number): void {
    this.#heat.set(node, { ...this.#heat.get(node), drawnW: watts });
  }

  /** Tasks of class `heat`: that the node holds (frozen ones too), and that wait and that it may run. */
  heatWork(node: string): { readonly running: number; readonly waiting: number } {
    return this.#core.heatWork(node);
  }

  /** Documents of nodes are others. */
  changed(nodes: Iterable<string>): void {
    for (const node of nodes) {
      this.#said.changed(node);
      this.nodeChanged(node);
    }
  }

  nodeGone(node: string): void {
    this.#crew.session(node, undefined);
    this.#views.forget(node);
    this.#heat.delete(node);
    this.#said.changed(node);
    this.#feed({ type: 'node', node, view: undefined });
  }

  /** Somebody trusts the node again. */
  pardon(node: string): void {
    this.#feed({ type: 'pardon', node });
  }

  /** What a node says of its work, as it was read. */
  report(node: string, report: Result<Report>): void {
    if (!report.ok) {
      this.#complain(node, sentence(report.error));
      return;
    }
    this.#crew.heard(node, report.value);
    this.#feed({ type: 'report', node, report: report.value });
  }

  /** No write is begun any more; `done` when what is under way is over. */
  stop(done: () => void): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#queue = [];
    this.#remembering.stop();
    this.#writing.close(done);
  }

  /** What an effect causes (a node in the same process answers at once) waits until all of this step's are run. */
  #feed(event: JobEvent): void {
    if (this.#stopped) return;
    this.#queue.push(event);
    if (this.#running) return;
    const { clock } = this.#parts;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      this.#run(this.#core.step(next, clock.now(), clock.wall()));
    }
  }

  #run(effects: readonly JobEffect[]): void {
    this.#running = true;
    try {
      // Somebody waits for work, and nobody for the rest in the same way.
      for (const effect of effects) if (effect.type === 'send') this.#act(effect);
      for (const effect of effects) if (effect.type !== 'send') this.#act(effect);
    } finally {
      this.#running = false;
    }
  }

  #act(effect: JobEffect): void {
    switch (effect.type) {
      case 'write':
        this.#write(effect.write, effect.ops);
        break;
      case 'read':
        this.#writing.read(effect.keys, values => this.#feed({ type: 'values', read: effect.read, values }));
        break;
      case 'send':
        if (this.#parts.maySpeak()) {
          if (effect.body.recipes) this.#code.sent(effect.node, effect.body.recipes);
          this.#crew.send(effect.node, effect.epoch, effect.body);
        }
        break;
      case 'answer':
        this.#desk.answered(effect.answer, effect.error, effect.fresh);
        break;
      case 'is':
        this.#told(effect.job, effect.is);
        break;
      case 'out':
        this.#shown.out(effect.job, effect.text);
        break;
      case 'event':
        this.#parts.events.emit(effect.level, effect.kind, effect.text, effect.node);
        break;
      case 'wake':
        this.#wake(effect.at);
        break;
    }
  }

  #told(job: string, is: JobIs | undefined): void {
    if (is) this.#uses.turned(job, is.ended_ms !== undefined);
    else this.#code.gone(job);
    this.#shown.is(job, is);
  }

  /** With what is kept beside: which artifacts are in use. */
  #write(write: number, ops: readonly StoreOp[]): void {
    for (const op of ops) {
      if (!('put' in op && op.put.startsWith(rememberedKey('')))) continue;
      this.#desk.leaving(idOfKey(op.put), write);
      this.#remembering.added(idOfKey(op.put));
    }
    const also = this.#uses.wrote(ops);
    this.#writing.add(write, also.length === 0 ? ops : [...ops, ...also]);
  }

  #wake(at: number): void {
    const { clock } = this.#parts;
    if (this.#stopped || (this.#timer && at === this.#dueAt)) return;
    this.#timer?.cancel();
    this.#dueAt = at;
    this.#timer = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => {
      this.#timer = undefined;
      this.#feed({ type: 'tick' });
    });
  }

  #complain(node: string, why: string): void {
    const now = this.#parts.clock.now();
    if (now - this.#complainedAt < complainEveryMs) return;
    this.#complainedAt = now;
    this.#parts.events.emit('warn', 'bad-report', `its report of work was not understood: ${why}`, node);
  }
}
