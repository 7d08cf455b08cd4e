/** The {@link HeatSide} of a machine that does not exist: the same core, and a room's worth of burning that nobody feels. */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { HeatOrder } from '../../shared/schemas/heat.ts';
import { coldHeat, type HeatEvent, type HeatState, isAsked, orderedOf, step } from './core.ts';
import type { HeatHandlers, HeatSide } from './side.ts';

export interface SimulatedHeatParts {
  readonly clock: Clock;
  readonly cores: number;
  /** Cores busy with anything but heat, and the processor's temperature. */
  machine(): { readonly busyCores: number; readonly tempC?: number };
  /** So many cores are busy for heat from now on. */
  heats(cores: number): void;
}

const lookMs = 1000;

export class SimulatedHeat implements HeatSide {
  readonly #parts: SimulatedHeatParts;
  readonly can = ['heat', 'heat-quota'];
  readonly error = '';
  #state: HeatState = coldHeat;
  #handlers: HeatHandlers | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(parts: SimulatedHeatParts) {
    this.#parts = parts;
  }

  get cores(): number | undefined {
    return isAsked(this.#state, this.#parts.clock.now()) ? this.#state.loop.heat : undefined;
  }

  start(handlers: HeatHandlers): void {
    this.#handlers = handlers;
  }

  order(order: HeatOrder, done: (error?: string) => void): void {
    if (!this.#closed) this.#step({ type: 'order', order: orderedOf(order, undefined), leaseMs: order.lease_s * 1000 });
    done();
  }

  tasksThere(running: number, waiting: number): void {
    if (!this.#closed) this.#step({ type: 'tasks', running, waiting });
  }

  forget(done: () => void): void {
    this.#step({ type: 'order', order: { cores: 0, maxTempC: 80, burner: false }, leaseMs: 0 });
    this.close(done);
  }

  close(done: () => void): void {
    this.#closed = true;
    this.#timer?.cancel();
    done();
  }

  #step(event: HeatEvent): void {
    const { clock, cores } = this.#parts;
    const asked = isAsked(this.#state, clock.now());
    const before = this.#state.setting;
    const { state } = step(this.#state, event, clock.now(), { cores, quota: true });
    this.#state = state;
    const { setting } = state;
    // Tasks use whole cores; what they leave the burner makes up.
    this.#parts.heats(Math.min(setting.total, this.#tasks() + setting.burner));
    if (setting.tasks !== before.tasks) this.#handlers?.tasks(setting.tasks, []);
    if (isAsked(state, clock.now()) !== asked) this.#handlers?.changed();
    if (isAsked(state, clock.now())) this.#timer ??= clock.after(lookMs, () => this.#look());
  }

  #tasks(): number {
    const { setting, running } = this.#state;
    return Math.min(setting.total, setting.tasks, running);
  }

  #look(): void {
    this.#timer = undefined;
    const { clock, machine } = this.#parts;
    if (!isAsked(this.#state, clock.now())) {
      this.#step({ type: 'time' });
      return;
    }
    const { busyCores, tempC } = machine();
    const tasks = this.#tasks();
    const { total, burner } = this.#state.setting;
    const used = { tasks, filler: 0, burner: Math.min(burner, Math.max(0, total - tasks)) };
    const busy = { busyCores: busyCores + used.tasks + used.burner, ...(tempC === undefined ? {} : { tempC }) };
    this.#step({ type: 'look', machine: busy, used, throttled: tasks > 0 && used.burner > 0 });
  }
}
