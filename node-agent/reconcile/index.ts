/**
 * The reconciler's front door: one document at a time becomes plans, every step of them is attempted, and what is, is
 * told. Three lanes: files; services, which start when the files that stand in the document are written; and packages,
 * whose manager may be busy, or without a network, for an hour. What a service cannot do without it says itself (`needs`).
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { WantedFile, WantedPackage } from '../../shared/schemas/want.ts';
import type { Dimmed, Host } from './host.ts';
import { KindStates } from './item-states.ts';
import { Lane } from './lane.ts';
import type { LoadedKind } from './lazy-kind.ts';
import { type Executors, planServices, type Step } from './plan.ts';
import type { Document, OutputBefore, ReconcilerApi, ReconcilerHandlers } from './reconciler.ts';
import type { Caretaker } from './services/caretaker.ts';
import type { RunTimes } from './services/run-times.ts';
import { ServiceTable } from './services/table.ts';
import type { Side } from './side.ts';
import { WrittenFirst } from './written-first.ts';

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

const laneNames = ['files', 'services', 'packages'] as const;
type LaneName = (typeof laneNames)[number];

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
  readonly #written = new WrittenFirst();
  #lanes: Readonly<Record<LaneName, Lane<Document>>> | undefined;
  /** What waits until a lane knows what an earlier agent left. */
  readonly #ready = { files: false, services: false, packages: false };
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
    const lanes = {
      files: new Lane<Document>((wanted, done) => this.#planFiles(wanted, done), this.#fileExecutors(), attempted),
      services: new Lane<Document>(
        (wanted, done) => this.#planServices(services, wanted, done),
        executorsOf(services),
        attempted,
      ),
      packages: new Lane<Document>(
        (wanted, done) => (this.#packages ? this.#packages.plan(wanted.packages ?? {}, done) : done([])),
        this.#packages?.executors ?? {},
        attempted,
      ),
    };
    this.#lanes = lanes;
    for (const name of ['files', 'packages'] as const) {
      const kind = name === 'files' ? this.#files : this.#packages;
      const again = () => void (this.#closed || lanes[name].again());
      if (kind) kind.start({ changed, notice, again }, () => this.#begin(name));
      else this.#begin(name);
    }
    services.adopt(() => this.#begin('services'));
  }

  apply(document: Document): void {
    if (this.#closed) return;
    this.#document = document;
    this.#tellSides();
    for (const side of this.#sides) side.apply(document);
    this.#states.expect(document);
    for (const name of laneNames) if (this.#ready[name]) this.#lanes?.[name].apply(document);
  }

  attempted(): { readonly rev: number; readonly err: string } {
    // A service that could not be started and then could is no longer an error, and one in a crash loop is.
    const errors = [this.#packages, this.#files, this.#services, ...this.#sides].map(part => part?.error());
    return {
      rev: Math.min(...laneNames.map(name => this.#lanes?.[name].rev ?? 0)),
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

  dim(service: string, cores: number | undefined): Dimmed {
    return this.#services && !this.#closed ? this.#services.dim(service, cores) : {};
  }

  stopAll(done: () => void): void {
    this.#whenAdopted(services => {
      this.#lanes?.services.abandon();
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
    for (const name of laneNames) this.#lanes?.[name].abandon();
    for (const side of this.#sides) side.close();
    this.#packages?.close();
    this.#files?.close();
    this.#services?.close();
  }

  #begin(name: LaneName): void {
    if (this.#closed) return;
    this.#ready[name] = true;
    this.#changed();
    const document = this.#document;
    if (document) {
      this.#states.expect(document);
      // Sides have nothing of their own to wait for; services are there on every node.
      if (name === 'services') for (const side of this.#sides) side.apply(document);
      this.#lanes?.[name].apply(document);
    }
    if (name === 'services') for (const act of this.#whenReady.splice(0)) act();
  }

  /** Before its document, a side hears that it is not attempted yet. */
  #tellSides(): void {
    const yes = this.#document !== undefined && this.attempted().rev === this.#document.rev;
    if (yes === this.#wasAttempted) return;
    this.#wasAttempted = yes;
    for (const side of this.#sides) side.attempted?.(yes);
  }

  #planFiles(document: Document, done: (steps: readonly Step[]) => void): void {
    const all = document.files ?? {};
    const planned = (steps: readonly Step[]) => {
      const names = steps.flatMap(({ id }) => (id.startsWith('files/') ? [id.slice('files/'.length)] : []));
      this.#written.planned(
        document.rev,
        names.filter(name => Object.hasOwn(all, name) && all[name]?.source === undefined),
      );
      done(steps);
    };
    if (this.#files) this.#files.plan(all, planned);
    else planned([]);
  }

  /** Every step of a file has its name. */
  #fileExecutors(): Partial<Executors> {
    const told = Object.entries(this.#files?.executors ?? {}).map(([step, execute]) => [
      step,
      (args: { readonly name: string }, done: (error?: string) => void) =>
        (execute as (args: object, done: (error?: string) => void) => void)(args, error => {
          this.#written.attempted(args.name);
          done(error);
        }),
    ]);
    return Object.fromEntries(told) as Partial<Executors>;
  }

  #planServices(services: ServiceTable, document: Document, done: (steps: readonly Step[]) => void): void {
    this.#written.when(document.rev, () => {
      services.expect(document.services);
      done(planServices(services.is(), document.services));
    });
  }

  #whenAdopted(act: (services: ServiceTable) => void): void {
    const services = this.#services;
    if (!services || this.#closed) return;
    if (this.#ready.services) act(services);
    else this.#whenReady.push(() => act(services));
  }
}

const executorsOf = (services: ServiceTable): Partial<Executors> => ({
  'service.start': ({ service, spec }, done) => services.want(service, spec, done),
  'service.replace': ({ service, spec }, done) => services.want(service, spec, done),
  'service.update': ({ service, spec }, done) => services.want(service, spec, done),
  'service.stop': ({ service }, done) => services.want(service, undefined, done),
});
