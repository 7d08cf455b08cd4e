/**
 * Machines as the allocator sees them, from what they say of themselves and what people say of them: who may give heat, how
 * much, and what they draw. Pure: fed with every `load`, asked once a round.
 */
import { heatDefaults, type NodeHeat } from '../../shared/schemas/heat.ts';
import type { Info, Load } from '../../shared/schemas/telemetry.ts';
import { type Drawn, type DrawState, drawOf, type Reading, staleMs } from './power/draw.ts';
import { type Board, boardOf, guessOf } from './power/guess.ts';
import { freshLearning, type LearningState, learn, type Metered } from './power/learning.ts';
import { labelsSaid, modelOf, wattsOf } from './power/model.ts';
import type { AllocNode, PowerModel } from './types.ts';

/** What is known of one machine at a moment. */
export interface MachineNow {
  readonly node: string;
  readonly online: boolean;
  readonly info?: Info | undefined;
  readonly load?: Load | undefined;
  /** Of its `is`. */
  readonly state?: string | undefined;
  readonly heat: NodeHeat;
  readonly labels: Readonly<Record<string, string>>;
  readonly drain: boolean;
  /** Of its plug. */
  readonly meter?: Reading | undefined;
  readonly learned?: PowerModel | undefined;
  /** A calibration says what it does, and keeps so many cores busy. */
  readonly calibratingCores?: number | undefined;
  /** Tasks of class `heat` that it has or could have. */
  readonly work: number;
}

/** What its room says of it. */
export interface Home {
  readonly quiet: boolean;
  /** Nobody heats here now, at once. */
  readonly off?: string | undefined;
  /** By a person. */
  readonly mayReturn?: boolean;
}

interface Known {
  /** Cores that are busy anyway, smoothed. */
  busy: number;
  at: number;
  loadSeq: string;
  /** Share of its cores that its temperature leaves it. */
  cool: number;
  coolAt: number;
  hot: boolean;
  /** Of its processor's own counter. */
  rapl?: Reading | undefined;
}

/** What follows from what is said of a machine: a name is held against many patterns, so that is done once for each word. */
interface Guessed extends Pick<MachineNow, 'info' | 'heat' | 'labels' | 'learned'> {
  readonly model: PowerModel;
  readonly board: Board;
}

/** What runs anyway is followed with this time constant: a job that comes and goes is no reason to turn everything. */
const busyS = 30;
/** A share of its cores for every degree that it is too warm, or could be warmer, in ten seconds. */
const coolPerC = 0.01;
const leastCool = 0.1;
const backC = 3;

/** A machine's room: its label. */
export const roomOf = ({ labels }: Pick<MachineNow, 'labels'>): string | undefined => labels.room;

export class Machines {
  readonly #known = new Map<string, Known>();
  readonly #draws = new Map<string, DrawState>();
  readonly #guessed = new Map<string, Guessed>();

  /** @param now monotonic ms; the same `load` twice counts once. */
  heard(node: string, info: Info | undefined, load: Load, now: number): void {
    const cores = info?.cores;
    if (cores === undefined || load.cpu_pct === undefined) return;
    const known = this.#known.get(node);
    const loadSeq = `${load.epoch}/${load.seq}`;
    if (known?.loadSeq === loadSeq) return;
    const rapl = load.watts === undefined ? undefined : { watts: load.watts, atMs: now };
    const other = Math.max(0, Math.min(cores, (load.cpu_pct / 100) * cores) - (load.heat_cores ?? 0));
    if (!known) {
      this.#known.set(node, { busy: other, at: now, loadSeq, cool: 1, coolAt: now, hot: false, rapl });
      return;
    }
    const share = 1 - Math.exp(-Math.max(0, now - known.at) / 1000 / busyS);
    known.busy += share * (other - known.busy);
    known.at = now;
    known.loadSeq = loadSeq;
    known.rapl = rapl;
  }

  /** Cores that are busy anyway. */
  busy(node: string): number {
    return this.#known.get(node)?.busy ?? 0;
  }

  forget(node: string): void {
    this.#known.delete(node);
    this.#draws.delete(node);
    this.#guessed.delete(node);
  }

  /** By the same objects the same. */
  #guess({ node, info, heat, labels, learned }: MachineNow): Guessed {
    const known = this.#guessed.get(node);
    if (known && known.info === info && known.heat === heat && known.labels === labels && known.learned === learned)
      return known;
    const processor = { cpu: info?.cpu, cores: info?.cores, arch: info?.arch };
    const said = heat.idle_w === undefined && heat.peak_w === undefined ? labelsSaid(labels) : heat;
    const model = modelOf(processor, said, learned);
    const guessed: Guessed = { info, heat, labels, learned, model, board: boardOf(processor) };
    this.#guessed.set(node, guessed);
    return guessed;
  }

  model(machine: MachineNow): PowerModel {
    return this.#guess(machine).model;
  }

  /** Watts with so many busy cores; all that it can draw where nobody knows how many it has. */
  wattsAt(machine: MachineNow, cores: number): number {
    return wattsOf(this.model(machine), cores / (machine.info?.cores ?? cores));
  }

  /** One reading of its plug beside how busy it is. */
  learn(machine: MachineNow, state: LearningState | undefined, seen: Metered, now: number): ReturnType<typeof learn> {
    const { cpu, cores, arch } = machine.info ?? {};
    return learn(state ?? freshLearning(), seen, this.model(machine), guessOf({ cpu, cores, arch }), now);
  }

  /** What these draw now, once a round; without who is off and who nothing is known of. */
  draws(machines: readonly MachineNow[], now: number): ReadonlyMap<string, Drawn> {
    const draws = new Map<string, Drawn>();
    for (const machine of machines) {
      const draw = this.draw(machine, now);
      if (draw) draws.set(machine.node, draw);
    }
    return draws;
  }

  /** What one draws now. */
  draw(machine: MachineNow, now: number): Drawn | undefined {
    const { node, online, info, load, meter } = machine;
    if (info?.cores === undefined) return undefined;
    // Off, it draws what its plug says, and nothing that anybody could guess.
    if (!online) return meter && now - meter.atMs <= staleMs ? { ...meter, source: 'meter', errW: 1 } : undefined;
    const { model, board } = this.#guess(machine);
    const { state, draw } = drawOf(this.#draws.get(node) ?? {}, {
      ...{ now, meter, model, board, rapl: this.#known.get(node)?.rapl },
      busyShare: load?.cpu_pct === undefined ? undefined : load.cpu_pct / 100,
    });
    this.#draws.set(node, state);
    return draw;
  }

  /** @returns undefined for a machine that draws nothing that anybody knows of. */
  of(machine: MachineNow, draw: Drawn | undefined, home: Home | undefined, now: number): AllocNode | undefined {
    const { node, online, info, heat } = machine;
    if (!online || info?.cores === undefined) return undefined;
    const cores = info.cores;
    const known = this.#known.get(node);
    const off = this.#whyOff(machine, home, known);
    const measured = draw && draw.source !== 'model' ? { draw } : {};
    return {
      ...{ node, room: roomOf(machine) ?? '', cores, model: this.model(machine) },
      mostCores: this.#most(machine, cores, home, now),
      // What a calibration keeps busy is no heat that a room asked for, and the fuse bears it all the same.
      busyCores: Math.min(cores, Math.max(known?.busy ?? 0, machine.calibratingCores ?? 0)),
      ...measured,
      minOnMs: (heat.min_on_min ?? heatDefaults.min_on_min) * 60_000,
      minOffMs: (heat.min_off_min ?? heatDefaults.min_off_min) * 60_000,
      ...(off === undefined ? {} : { off, mayReturn: machine.drain || (home?.mayReturn === true && off === home.off) }),
      work: machine.work,
    };
  }

  #most({ node, info, load, heat }: MachineNow, cores: number, home: Home | undefined, now: number): number {
    const able = (info?.caps ?? '').split(',').includes('heat');
    if (!able || !home || heat.on === false) return 0;
    const quiet = home.quiet ? ((heat.quiet_pct ?? heatDefaults.quiet_pct) / 100) * cores : cores;
    return Math.min(cores, heat.cores ?? cores, quiet, this.#cool(node, load?.temp_c, heat, now) * cores);
  }

  /** The share that keeps it at its limit: an integral of how far it is from it. The machine itself throttles faster. */
  #cool(node: string, tempC: number | undefined, heat: NodeHeat, now: number): number {
    const known = this.#known.get(node);
    if (!known) return 1;
    const steps = Math.min(6, Math.max(0, now - known.coolAt) / 10_000);
    known.coolAt = now;
    // Where a sensor shows nothing, what it last allowed holds; who never had one is as told.
    if (tempC !== undefined) {
      const spare = (heat.max_temp_c ?? heatDefaults.max_temp_c) - tempC;
      known.cool = Math.min(1, Math.max(leastCool, known.cool + spare * coolPerC * steps));
    }
    return known.cool;
  }

  #whyOff(machine: MachineNow, home: Home | undefined, known: Known | undefined): string | undefined {
    const { load, heat, drain, state } = machine;
    const most = heat.max_temp_c ?? heatDefaults.max_temp_c;
    const tempC = load?.temp_c;
    if (known && tempC !== undefined) {
      if (tempC >= most + heatDefaults.off_above_c) known.hot = true;
      else if (tempC < most - backC) known.hot = false;
    }
    if (known?.hot) return `it is too hot (${tempC ?? '?'} °C): it is off until it has cooled below ${most - backC} °C`;
    if (machine.calibratingCores !== undefined) return 'it is being calibrated';
    if (drain || state === 'draining') return 'it is drained';
    if (state === 'failed' || state === 'sleeping' || state === 'left') return `it is ${state}`;
    return home?.off;
  }
}
