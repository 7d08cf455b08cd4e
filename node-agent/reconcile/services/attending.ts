/** What the core asks for beside starting and stopping: checks, watched output, reloads, and the next time of a schedule. */
import type { Host } from '../host.ts';
import type { Caretaker } from './caretaker.ts';
import type { ServiceEffect, ServiceEvent } from './core.ts';
import { Outputs } from './outputs.ts';
import { createRunTimes, type RunTimes } from './run-times.ts';

export interface AttendingParts {
  readonly host: Host;
  /** Absent: what has to be looked after cannot be, and says so. */
  readonly caretaker?: Caretaker;
  readonly times?: RunTimes;
}

export type AttendingEffect = Extract<
  ServiceEffect,
  { readonly do: 'watch' | 'check' | 'cancel-check' | 'reload' | 'remember' | 'next-run' }
>;

const nobody = 'nobody looks after running services on this node';

export class Attending {
  readonly outputs: Outputs;
  readonly #caretaker: Caretaker | undefined;
  readonly #times: RunTimes;
  readonly #event: (service: string, event: ServiceEvent) => void;
  /** Checks under way, by unit. */
  readonly #checks = new Map<string, { cancel(): void }>();

  /** @param serviceOf by unit. */
  constructor(
    parts: AttendingParts,
    serviceOf: (unit: string) => string | undefined,
    event: (service: string, event: ServiceEvent) => void,
  ) {
    this.#caretaker = parts.caretaker;
    this.#times = parts.times ?? createRunTimes();
    this.#event = event;
    this.outputs = new Outputs(parts.host, (unit, text) => {
      const service = serviceOf(unit);
      if (service !== undefined) event(service, { type: 'saw', unit, text });
    });
  }

  do(service: string, effect: AttendingEffect): void {
    switch (effect.do) {
      case 'watch':
        this.outputs.watch(effect.unit, effect.texts);
        return;
      case 'check':
        this.#check(service, effect);
        return;
      case 'cancel-check':
        this.#cancel(effect.unit);
        return;
      case 'reload': {
        const { unit } = effect.unit;
        const done = (error?: string) =>
          this.#event(service, { type: 'reloaded', unit, ...(error === undefined ? {} : { error }) });
        if (this.#caretaker) this.#caretaker.reload(effect.unit, effect.how, done);
        else done(nobody);
        return;
      }
      case 'remember':
        this.#caretaker?.remember(effect.unit);
        return;
      case 'next-run': {
        const { schedule } = effect;
        this.#times.next(effect, (error, next, missed = false) =>
          this.#event(service, {
            type: 'next-run',
            schedule,
            missed,
            ...(next === undefined ? {} : { next }),
            ...(error === undefined ? {} : { error }),
          }),
        );
      }
    }
  }

  /** The unit is no more. */
  forget(unit: string): void {
    this.#cancel(unit);
    this.outputs.forget(unit);
  }

  close(): void {
    for (const check of this.#checks.values()) check.cancel();
    this.#checks.clear();
    this.#caretaker?.close();
  }

  #check(service: string, effect: Extract<AttendingEffect, { do: 'check' }>): void {
    const { unit } = effect.unit;
    this.#cancel(unit);
    const over = (error?: string) => {
      this.#checks.delete(unit);
      this.#event(service, { type: 'checked', unit, ...(error === undefined ? {} : { error }) });
    };
    if (!this.#caretaker) over(nobody);
    else this.#checks.set(unit, this.#caretaker.check(effect.unit, effect.health, over));
  }

  #cancel(unit: string): void {
    this.#checks.get(unit)?.cancel();
    this.#checks.delete(unit);
  }
}
