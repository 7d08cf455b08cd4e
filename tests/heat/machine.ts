/** A computer as a heater: what it is thought to draw, what it draws really, and how slowly its case gives that to the room. */
import type { PowerModel } from '../../broker/heat/types.ts';
import type { Dice } from '../sim/random.ts';

export interface MachineKind {
  readonly node: string;
  readonly cores: number;
  readonly idleW: number;
  readonly peakW: number;
  /** Case, heat sink and power supply: time constant, s. */
  readonly caseS: number;
  /** Its fan: not in quiet hours. */
  readonly loud?: boolean;
  /** Has a smart plug: what it draws is known to a percent. */
  readonly plug?: boolean;
}

export class Machine {
  readonly kind: MachineKind;
  readonly model: PowerModel;
  cores = 0;
  /** At the socket, and what reaches the room. */
  watts: number;
  heatW: number;
  starts = 0;
  #meter = 0;
  readonly #idleW: number;
  readonly #peakW: number;
  readonly #exponent: number;

  constructor(kind: MachineKind, dice: Dice) {
    this.kind = kind;
    const { idleW, peakW } = kind;
    // As a calibration by a plug leaves it; where there is none, as a document's figures are: some percent off.
    const off = kind.plug ? 0.02 : 0.05;
    this.model = {
      idleW,
      peakW,
      exponent: 0.8,
      source: kind.plug ? 'learned' : 'document',
      err: kind.plug ? 0.05 : 0.1,
    };
    this.#idleW = idleW * dice.between(1 - off, 1 + off);
    this.#peakW = peakW * dice.between(1 - off, 1 + off);
    this.#exponent = dice.between(0.75, 0.85);
    this.watts = this.#idleW;
    this.heatW = this.watts;
    this.#meter = this.watts;
  }

  at(cores: number): number {
    const share = Math.min(1, Math.max(0, cores / this.kind.cores));
    return this.#idleW + (this.#peakW - this.#idleW) * share ** this.#exponent;
  }

  get minW(): number {
    return this.#idleW;
  }

  get maxW(): number {
    return this.#peakW;
  }

  order(cores: number): void {
    if (cores > 0 && this.cores === 0) this.starts++;
    this.cores = cores;
  }

  step(s: number, dice: Dice): void {
    this.watts = this.at(this.cores) * dice.between(0.995, 1.005);
    this.heatW += (1 - Math.exp(-s / this.kind.caseS)) * (this.watts - this.heatW);
    this.#meter = this.watts * dice.between(0.99, 1.01);
  }

  get metered(): number | undefined {
    return this.kind.plug ? this.#meter : undefined;
  }
}
