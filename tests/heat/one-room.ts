/** One room with one heater that gives at once what is demanded: the controller alone, in virtual time. */
import {
  type Control,
  type ControlInput,
  type ControlState,
  control,
  freshControl,
} from '../../broker/heat/control/controller.ts';
import { Dice } from '../sim/random.ts';
import { aimOf } from './hearth.ts';
import { Room, type RoomKind } from './room.ts';
import { Sensor, type SensorKind, zigbee } from './sensor.ts';

export interface OneRoom {
  readonly kind: RoomKind;
  readonly minW?: number;
  readonly maxW: number;
  readonly outdoorC?: number;
  readonly sensor?: SensorKind;
  readonly startC?: number;
  readonly state?: ControlState;
  /** Time constant of the heater, s. */
  readonly lagS?: number;
}

const stepS = 30;

export class RoomRig {
  now = 1000;
  room: Room;
  state: ControlState;
  answer: Control | undefined;
  reading: number;
  outdoorC: number;
  heatW: number;
  targetC = 20;
  open = false;
  sun = 0;
  /** What else is said at each step. */
  more: Partial<ControlInput> = {};
  readonly #of: OneRoom;
  readonly #sensor: Sensor;

  constructor(of: OneRoom, seed = 1) {
    this.#of = of;
    this.outdoorC = of.outdoorC ?? 5;
    this.room = new Room(of.kind, of.startC ?? 18, this.outdoorC);
    this.#sensor = new Sensor(of.sensor ?? zigbee, new Dice(seed, 'one room'), this.room.airC);
    this.reading = this.room.airC;
    this.heatW = of.minW ?? 0;
    this.state = of.state ?? freshControl();
  }

  /** One step of 30 s. */
  step(): Control {
    const { minW = 0, maxW, lagS = 400 } = this.#of;
    this.now += stepS * 1000;
    this.room.step(stepS, this.heatW, { outdoorC: this.outdoorC, sun: this.sun, people: 0, open: this.open });
    const c = this.#sensor.step(stepS, this.room.airC);
    if (c !== undefined) this.reading = c;
    const drawn = Math.max(minW, Math.min(maxW, this.answer?.demandW ?? 0));
    const answer = control(this.state, {
      now: this.now,
      aim: aimOf('room', this.targetC),
      sensed: { ok: true, c: this.reading, ageS: 0 },
      minW,
      maxW,
      heatW: drawn,
      ...this.more,
    });
    this.state = answer.state;
    this.answer = answer;
    const given = Math.max(minW, Math.min(maxW, answer.demandW));
    this.heatW += (1 - Math.exp(-stepS / lagS)) * (given - this.heatW);
    return answer;
  }

  /** @returns the mean absolute error */
  run(hours: number, each?: (answer: Control) => void): number {
    let off = 0;
    const steps = (hours * 3600) / stepS;
    for (let i = 0; i < steps; i++) {
      const answer = this.step();
      each?.(answer);
      off += Math.abs(this.room.airC - this.targetC);
    }
    return off / steps;
  }
}
