/** What is kept of rooms from round to round: by what was written of them once, until they were looked at. Pure. */
import { type ControlState, freshControl } from './control/controller.ts';
import { freshThermometer } from './control/thermometer.ts';
import type { RoomMemory, RoomRound } from './round.ts';

export class RoomMemories {
  readonly #known = new Map<string, RoomMemory>();
  readonly #read: ReadonlyMap<string, ControlState>;

  /** @param read from the disk, by room. */
  constructor(read: ReadonlyMap<string, ControlState>) {
    this.#read = read;
  }

  of(room: string): RoomMemory {
    return (
      this.#known.get(room) ?? { thermometer: freshThermometer(), control: this.#read.get(room) ?? freshControl() }
    );
  }

  keep(rounds: ReadonlyMap<string, RoomRound>): void {
    for (const [room, { memory }] of rounds) this.#known.set(room, memory);
  }

  /** Its thermometer is another one: what the last one said is no measure for it. */
  otherThermometer(room: string): void {
    this.#known.set(room, { ...this.of(room), thermometer: freshThermometer() });
  }

  forget(room: string): void {
    this.#known.delete(room);
  }

  /** What was read and not looked at yet is kept, too. */
  controls(): ReadonlyMap<string, ControlState> {
    const all = new Map(this.#read);
    for (const [room, { control }] of this.#known) all.set(room, control);
    return all;
  }
}
