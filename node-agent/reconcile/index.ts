/**
 * The reconciler's front door: one document at a time becomes plans, every step of them is attempted, and what is, is
 * told. Two lanes that do not wait for each other: files and then the services that read them; and packages, whose
 * manager may be busy, or without a network, for an hour. What a service cannot do without it says itself (`needs`).
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { WantedFile, WantedPackage } from '../../shared/schemas/node-document.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { Host } from './host.ts';
import { KindStates } from './item-states.ts';
import { Lane } from './lane.ts';
import type { LoadedKind } from './lazy-kind.ts';
import { type Executors, planServices, type Step } from './plan.ts';
import type { Document, OutputBefore, ReconcilerApi, ReconcilerHandlers } from './reconciler.ts';
import type { Caretaker } from './services/caretaker.ts';
import type { RunTimes } from './services/run-times.ts';
import { ServiceTable } from './services/table.ts';
import type { Side } from './side.ts';

export interface ReconcilerParts {
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  readonly packages?: LoadedKind<WantedPackage>;
  readonly files?: LoadedKind<WantedFile>;
  /** Looks after services that run: checks, reloads. */
  readonly caretaker?: Caretaker;
  /** Reads schedules; the library's where absent. */
  readonly times?: RunTimes;
  /** The agent's own version, checks. */
  readonly sides?: readonly Side[];
}

export function createReconciler(parts: ReconcilerParts): ReconcilerApi {
  return new Reconciler(parts);
}

class Reconciler implements ReconcilerApi {
  readonly #parts: ReconcilerParts;
  readonly #files: LoadedKind<WantedFile> | undefined;
  readonly #packages: LoadedKind<WantedPackage> | undefined;
  readonly #states: KindStates;
  readonly #sides: readonly Side[];
  #wasAttempted = false;
  #services: ServiceTable | undefined;
  /** Files and services. */
  #main: Lane<Document> | undefined;
  #packageLane: Lane<Document> | undefined;
  /** What waits until a lane knows what an earlier agent left. */
  readonly #ready = { main: false, packages: false };
  #document: Document | undefined;
  #closed = false;
  #whenReady: (() => void)[] = [];
  #changed: () => void = () => {};

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#files = parts.files;
    this.#packages = parts.packages;
    this.#states = new KindStates({ files: parts.files, packages: parts.packages });
    this.#sides = parts.sides ?? [];
  }

  start(document: Document | undefined, handlers: ReconcilerHandlers): void {
    let telling = false;
    this.#changed = () => {
      if (telling) return;
      telling = true;
      this.#parts.clock.after(0, () => {
        telling = false;
        if (this.#closed) return;
        for (const path of this.#states.changed()) services.itemChanged(path);
        handlers.changed();
      });
    };
    const notice: ReconcilerHandlers['notice'] = (level, kind, text) => handlers.notice(level, kind, text);
    const changed = () => this.#changed();
    for (const side of this.#sides) side.start({ changed, notice });
    const services = new ServiceTable(
      { ...this.#parts, items: this.#states },
      {
        output: (service, lines) => handlers.output(service, lines),
        notice,
        changed,
      },
    );
    this.#services = services;
    this.#document ??= document;
    const attempted = () => {
      this.#tellSides();
      changed();
    };
    this.#main = new Lane(
      (wanted, done) => this.#planMain(services, wanted, done),
      this.#mainExecutors(services),
      attempted,
    );
    const packages = this.#packages;
    this.#packageLane = new Lane(
      (wanted, done) => (packages ? packages.plan(wanted.packages ?? {}, done) : done([])),
      packages?.executors ?? {},
      attempted,
    );
    const again = (lane: Lane<Document>) => () => void (this.#closed || lane.again());
    const mainReady = after(this.#files ? 2 : 1, () => this.#begin('main'));
    this.#files?.start({ changed, notice, again: again(this.#main) }, mainReady);
    services.adopt(mainReady);
    if (packages) packages.start({ changed, notice, again: again(this.#packageLane) }, () => this.#begin('packages'));
    else this.#begin('packages');
  }

  apply(document: Document): void {
    if (this.#closed) return;
    this.#document = document;
    this.#tellSides();
    for (const side of this.#sides) side.apply(document);
    if (this.#ready.main) this.#main?.apply(document);
    if (this.#ready.packages) this.#packageLane?.apply(document);
  }

  attempted(): { readonly rev: number; readonly err: string } {
    // A service that could not be started and then could is no longer an error, and one in a crash loop is.
    const errors = [this.#packages, this.#files, this.#services, ...this.#sides].map(part => part?.error());
    return {
      rev: Math.min(this.#main?.rev ?? 0, this.#packageLane?.rev ?? 0),
      err: [...errors, this.#document?.conflicts?.[0]].find(error => error) ?? '',
    };
  }

  items(): Readonly<Record<string, ItemStatus>> {
    const parts = [this.#packages, this.#files, this.#services, ...this.#sides];
    return Object.assign({}, ...parts.map(part => part?.items()));
  }

  restart(service: string, done: (error?: string) => void): void {
    this.#whenAdopted(services => services.restart(service, done));
  }

  follow(service: string, ms: number, done: (error?: string) => void, before?: OutputBefore): void {
    this.#whenAdopted(services => services.follow(service, ms, done, before));
  }

  stopAll(done: () => void): void {
    this.#whenAdopted(services => {
      this.#main?.abandon();
      const names = services.names();
      let left = names.length;
      if (left === 0) {
        done();
        return;
      }
      for (const name of names) {
        services.want(name, undefined, () => {
          if (--left === 0) done();
        });
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.#main?.abandon();
    this.#packageLane?.abandon();
    for (const side of this.#sides) side.close();
    this.#packages?.close();
    this.#files?.close();
    this.#services?.close();
  }

  #begin(lane: 'main' | 'packages'): void {
    if (this.#closed) return;
    this.#ready[lane] = true;
    this.#changed();
    if (this.#document) for (const side of this.#sides) if (lane === 'main') side.apply(this.#document);
    if (this.#document) (lane === 'main' ? this.#main : this.#packageLane)?.apply(this.#document);
    if (lane === 'main') for (const act of this.#whenReady.splice(0)) act();
  }

  /** Before its document, a side hears that it is not attempted yet. */
  #tellSides(): void {
    const yes = this.#document !== undefined && this.attempted().rev === this.#document.rev;
    if (yes === this.#wasAttempted) return;
    this.#wasAttempted = yes;
    for (const side of this.#sides) side.attempted?.(yes);
  }

  #planMain(services: ServiceTable, document: Document, done: (steps: readonly Step[]) => void): void {
    this.#states.expect(document);
    services.expect(document.services);
    const all = document.files ?? {};
    const planned = (fileSteps: readonly Step[]) => {
      // What is said in the document itself is there in a moment; a download is waited for by who needs it.
      const first = fileSteps
        .filter(({ id }) => all[id.slice('files/'.length)]?.source === undefined)
        .map(({ id }) => id);
      done([...fileSteps, ...planServices(services.is(), document.services, first)]);
    };
    if (this.#files) this.#files.plan(all, planned);
    else planned([]);
  }

  #mainExecutors(services: ServiceTable): Partial<Executors> {
    return {
      ...this.#files?.executors,
      'service.start': ({ service, spec }, done) => services.want(service, spec, done),
      'service.replace': ({ service, spec }, done) => services.want(service, spec, done),
      'service.update': ({ service, spec }, done) => services.want(service, spec, done),
      'service.stop': ({ service }, done) => services.want(service, undefined, done),
    };
  }

  #whenAdopted(act: (services: ServiceTable) => void): void {
    const services = this.#services;
    if (!services || this.#closed) return;
    if (this.#ready.main) act(services);
    else this.#whenReady.push(() => act(services));
  }
}

/** Runs `done` at the `count`th call. */
function after(count: number, done: () => void): () => void {
  let left = count;
  return () => {
    if (--left === 0) done();
  };
}
