/** The reconciler's front door: one document at a time becomes a plan, every step of it is attempted, and what is, is told. */
import type { Clock, Random } from '../../shared/clock.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { Host } from './host.ts';
import { type Executors, plan } from './plan.ts';
import type { Document, ReconcilerApi, ReconcilerHandlers } from './reconciler.ts';
import { type PlanRun, runPlan } from './run-plan.ts';
import { ServiceTable } from './services/table.ts';

export interface ReconcilerParts {
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
}

export function createReconciler(parts: ReconcilerParts): ReconcilerApi {
  return new Reconciler(parts);
}

class Reconciler implements ReconcilerApi {
  readonly #parts: ReconcilerParts;
  #services: ServiceTable | undefined;
  #adopted = false;
  #closed = false;
  /** Given before adoption was done. */
  #early: Document | undefined;
  #whenAdopted: (() => void)[] = [];
  #run: PlanRun | undefined;
  #attemptedRev = 0;
  #changed: () => void = () => {};

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  start(document: Document | undefined, handlers: ReconcilerHandlers): void {
    let telling = false;
    this.#changed = () => {
      if (telling) return;
      telling = true;
      this.#parts.clock.after(0, () => {
        telling = false;
        if (!this.#closed) handlers.changed();
      });
    };
    const services = new ServiceTable(this.#parts, {
      output: (service, lines) => handlers.output(service, lines),
      notice: (level, kind, text) => handlers.notice(level, kind, text),
      changed: () => this.#changed(),
    });
    this.#services = services;
    this.#early ??= document;
    services.adopt(() => {
      this.#adopted = true;
      this.#changed();
      if (this.#early) this.#attempt(this.#early);
      for (const act of this.#whenAdopted.splice(0)) act();
    });
  }

  apply(document: Document): void {
    if (this.#adopted) this.#attempt(document);
    else this.#early = document;
  }

  attempted(): { readonly rev: number; readonly err: string } {
    // A service that could not be started and then could is no longer an error, and one in a crash loop is.
    return { rev: this.#attemptedRev, err: this.#services?.error() ?? '' };
  }

  items(): Readonly<Record<string, ItemStatus>> {
    return this.#services?.items() ?? {};
  }

  restart(service: string, done: (error?: string) => void): void {
    this.#whenReady(services => services.restart(service, done));
  }

  follow(service: string, ms: number, done: (error?: string) => void): void {
    this.#whenReady(services => services.follow(service, ms, done));
  }

  stopAll(done: () => void): void {
    this.#whenReady(services => {
      this.#run?.abandon();
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
    this.#run?.abandon();
    this.#services?.close();
  }

  /** Plans from what is to what the document says and attempts every step once; a document before it is given up. */
  #attempt(document: Document): void {
    const services = this.#services;
    if (!services || this.#closed) return;
    this.#run?.abandon();
    const executors: Executors = {
      'service.start': ({ service, spec }, done) => services.want(service, spec, done),
      'service.replace': ({ service, spec }, done) => services.want(service, spec, done),
      'service.update': ({ service, spec }, done) => services.want(service, spec, done),
      'service.stop': ({ service }, done) => services.want(service, undefined, done),
    };
    const steps = plan({ services: services.is() }, document);
    this.#run = runPlan(steps, executors, () => {
      this.#attemptedRev = document.rev;
      this.#changed();
    });
  }

  #whenReady(act: (services: ServiceTable) => void): void {
    const services = this.#services;
    if (!services || this.#closed) return;
    if (this.#adopted) act(services);
    else this.#whenAdopted.push(() => act(services));
  }
}
