/**
 * Calibrations that run: one for each node at most, begun by `do/calibrate` and ended by `do/calibrate cancel`, by themselves,
 * or by what is in the way. Each is answered twice: `accepted`, and `finished` when it is over, some ten minutes later.
 */
import type { Clock } from '../../shared/clock.ts';
import { decodeText } from '../../shared/codec.ts';
import { heatDefaults } from '../../shared/schemas/heat.ts';
import { type Answers, type Asked, remembered } from '../orders/answers.ts';
import { readMark } from '../rollout/verbs.ts';
import type { MachineNow } from './machines.ts';
import { Calibration, type CalibrationEffect, type CalibrationEvent } from './power/calibration.ts';
import type { PowerModel } from './types.ts';

export interface CalibratingParts {
  readonly clock: Clock;
  readonly answers: Answers;
  /** Undefined: it is not known. */
  machine(node: string): MachineNow | undefined;
  learned(node: string, model: PowerModel): void;
  /** Why the fuse does not bear that machine at full power; undefined: it does. */
  tooMuch(node: string): string | undefined;
}

interface Run {
  readonly asked: Asked;
  readonly calibration: Calibration;
  /** Cores that are to be busy. */
  cores: number;
  /** The load that was looked at last. */
  load?: object | undefined;
}

/** More at a time would be more than a fuse bears. */
const most = 8;

export class Calibrating {
  readonly #parts: CalibratingParts;
  readonly #runs = new Map<string, Run>();

  constructor(parts: CalibratingParts) {
    this.#parts = parts;
  }

  /** Cores that the node is to keep busy for it; undefined: it is not calibrated now. */
  cores(node: string): number | undefined {
    return this.#runs.get(node)?.cores;
  }

  /** A `do/calibrate` on a node's topic. */
  do(question: Asked): void {
    const { answers, clock } = this.#parts;
    const { target } = question.topic;
    const node = target.kind === 'one' ? target.id : '';
    const text = decodeText(question.message.payload, 1024);
    const isCancel = text.ok && text.value.trim() === 'cancel';
    const { tx, problem } = isCancel ? { tx: undefined, problem: undefined } : readMark(question.message.payload);
    const asked = remembered(question, tx);
    const why = problem?.message ?? (isCancel ? this.#cancel(node) : this.#whyNot(node));
    if (why !== undefined) {
      answers.refuse(asked, { code: 'not-available', message: why });
      return;
    }
    answers.reply(asked, true, { state: 'accepted' });
    if (isCancel) {
      answers.reply(asked, true, { state: 'finished' });
      return;
    }
    const { info, heat } = this.#parts.machine(node) as MachineNow;
    const maxTempC = (heat.max_temp_c ?? heatDefaults.max_temp_c) + heatDefaults.off_above_c;
    const calibration = new Calibration({ node, cores: info?.cores ?? 1, maxTempC }, clock.now());
    this.#runs.set(node, { asked, calibration, cores: 0 });
    this.tick();
  }

  /** Its plug, and its processor's own counter. */
  meter(node: string, watts: number): void {
    this.#step(node, { type: 'meter', watts });
  }

  rapl(node: string, watts: number): void {
    this.#step(node, { type: 'rapl', watts });
  }

  /** It ends, where there is one. */
  end(node: string, why: string): void {
    this.#step(node, { type: 'lost', why });
  }

  /** Once a round. */
  tick(): void {
    for (const [node, run] of [...this.#runs]) {
      const { online = false, load, info, heat } = this.#parts.machine(node) ?? {};
      if (!online) this.#step(node, { type: 'lost', why: 'the node went offline' });
      else if (heat?.on === false) this.#step(node, { type: 'lost', why: 'its document says that it gives no heat' });
      else {
        // A load that was there before says nothing of this level.
        const fresh = run.load === load ? undefined : load?.cpu_pct;
        run.load = load;
        const busyCores = fresh === undefined ? undefined : (fresh / 100) * (info?.cores ?? 1);
        this.#step(node, { type: 'tick', busyCores, tempC: load?.temp_c });
      }
    }
  }

  #whyNot(node: string): string | undefined {
    const machine = this.#parts.machine(node);
    if (!machine?.online) return `${node} is offline: a calibration needs it for ten minutes`;
    if (!machine.heat.plug) return 'it has no plug to learn from: say its topic at …/set/heat/plug';
    if (!(machine.info?.caps ?? '').split(',').includes('heat')) return 'its agent cannot give heat';
    if (this.#runs.has(node)) return 'it is being calibrated already: send "cancel" to end that';
    if (this.#runs.size >= most) return `${most} nodes are being calibrated already`;
    return this.#parts.tooMuch(node);
  }

  #cancel(node: string): string | undefined {
    if (!this.#runs.has(node)) return 'it is not being calibrated';
    this.#step(node, { type: 'cancel' });
    return undefined;
  }

  #step(node: string, event: CalibrationEvent): void {
    const run = this.#runs.get(node);
    if (!run) return;
    for (const effect of run.calibration.step(event, this.#parts.clock.now())) this.#run(run, effect);
  }

  #run(run: Run, effect: CalibrationEffect): void {
    const { learned, answers } = this.#parts;
    if (effect.type === 'level') run.cores = effect.cores;
    else if (effect.type === 'learned') learned(effect.node, effect.model);
    else {
      this.#runs.delete(effect.node);
      const { ok, text } = effect;
      answers.reply(run.asked, ok, {
        state: 'finished',
        ...(ok ? { value: text.slice(0, 64) } : { error: text.slice(0, 500) }),
      });
    }
  }
}
