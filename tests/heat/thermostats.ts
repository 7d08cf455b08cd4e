/** The ways that people heat with a switch: hysteresis, and a PID that pulses. All machines of a room are the heater. */

import type { House } from './house.ts';
import type { Heated, Heating, Told } from './season.ts';

function switched({ machines }: Heated, on: boolean, quiet: boolean): void {
  for (const machine of machines) machine.order(on && !(quiet && machine.kind.loud) ? machine.kind.cores : 0);
}

/**
 * Home Assistant's `generic_thermostat` (homeassistant/components/generic_thermostat/climate.py): off to on where the target is above reading +
 * cold tolerance, on to off where it is below reading - hot tolerance, both 0.3 °C as it has them by default; not before
 * `min_cycle_duration` since the last change, here 10 minutes, unless a person or the schedule sets a new temperature (`force`).
 */
export class Hysteresis implements Heating {
  readonly name = 'generic_thermostat, ±0.3 °C';
  readonly #rooms: { on: boolean; sinceMs: number; targetC: number }[];

  constructor(house: House) {
    this.#rooms = house.rooms.map(() => ({ on: false, sinceMs: Number.NEGATIVE_INFINITY, targetC: Number.NaN }));
  }

  step(now: number, heated: readonly Heated[], told: readonly Told[]): undefined[] {
    return heated.map((room, i) => {
      const state = this.#rooms[i] as { on: boolean; sinceMs: number; targetC: number };
      const { targetC, quiet } = told[i] as Told;
      const force = state.targetC !== targetC;
      state.targetC = targetC;
      if (room.reading !== undefined) {
        const { c } = room.reading;
        const want = state.on ? !(targetC < c - 0.3) : targetC > c + 0.3;
        if (want !== state.on && (force || now - state.sinceMs >= 600_000)) {
          state.on = want;
          state.sinceMs = now;
        }
      }
      switched(room, state.on, quiet);
      return undefined;
    });
  }
}

/**
 * A plain PID with 15 minutes of time proportioning: on for a share of each period. Gains as the custom integration HASmartThermostat has them by default
 * (kp 50 %/°C, ki 0.01 %/(°C s), kd 2000 % s/°C), the integral held to 0..100 %.
 */
export class Pulsed implements Heating {
  readonly name = 'PID, pulses of 15 minutes';
  readonly #rooms: { integral: number; last: number; share: number; slope: number }[];

  constructor(house: House) {
    this.#rooms = house.rooms.map(() => ({ integral: 0, last: Number.NaN, share: 0, slope: 0 }));
  }

  step(now: number, heated: readonly Heated[], told: readonly Told[]): undefined[] {
    const period = 900_000;
    return heated.map((room, i) => {
      const state = this.#rooms[i] as { integral: number; last: number; share: number; slope: number };
      const { targetC, quiet } = told[i] as Told;
      if (room.reading !== undefined && now % period === 0) {
        const error = targetC - room.reading.c;
        state.slope = Number.isNaN(state.last) ? 0 : (room.reading.c - state.last) / (period / 1000);
        state.last = room.reading.c;
        // As it does: the integral only moves while the output is not at a bound.
        const output = 50 * error + state.integral - 2000 * state.slope;
        if (output > 0 && output < 100)
          state.integral = Math.min(100, Math.max(0, state.integral + (0.01 * error * period) / 1000));
        state.share = Math.min(100, Math.max(0, 50 * error + state.integral - 2000 * state.slope)) / 100;
      }
      switched(room, now % period < state.share * period, quiet);
      return undefined;
    });
  }
}
