/**
 * Ten minutes in which a machine is kept busy level by level while its plug is read: what it draws by what it does. Pure: events
 * in, effects out; whoever holds it sends the levels, hands in what it hears, and calls it every second or so.
 *
 * Idle, a tenth, 30 %, half, 70 % and all cores, 35 s to settle and 60 s to read at each. The lower half has more levels, since
 * there the curves bend: of metered servers the model is within 5 % at the levels in between, while idle and quarters miss the
 * first tenth, where a processor leaves its sleep states, by up to 20 %.
 *
 * What counts at a level is how busy the machine really was, not how busy it was told to be.
 */
import type { PowerModel } from '../types.ts';
import { fitOf, lineOf, type Point } from './fit.ts';
import { isModel, mostNodeW } from './model.ts';
import { meanOf, robust } from './readings.ts';

export const calibrationRules = {
  shares: [0, 0.1, 0.3, 0.5, 0.7, 1],
  settleMs: 35_000,
  readMs: 60_000,
  /** A level takes longer for a plug that says little, up to this. */
  mostReadMs: 180_000,
  /** Readings of a level, at least. */
  readings: 4,
  /** Without a reading for so long the plug is lost. */
  silentMs: 200_000,
  /** The lease of a level ends without being said again. */
  renewMs: 10_000,
} as const;

/** Readings of one level; a plug that says something every 200 ms has enough after that. */
const mostReadings = 1000;
/** Watts that jump by more than this share, and this much, are no level. */
const noisyShare = 0.08;
const noisyW = 1.5;
/** With fewer readings near their median it is not that single ones are off. */
const leastNear = 0.8;
/** Busy cores that jump by more than this share of all are other work. */
const otherShare = 0.12;
/** A machine that is busier than this doing nothing has other work. */
const idleShare = 0.25;
/** Less than this share of its cores busy when told all is no peak. */
const peakShare = 0.7;
/** A plug that shows less of a difference than this between idle and busy is another machine's. */
const leastShare = 0.04;
const leastW = 0.7;
/** What a plug of the shop says of itself: half an error band below which no calibration is. */
const plugErr = 0.02;
const mostErr = 0.1;
/** A fit further off its own points is none. */
const mostResidual = 0.08;

export interface CalibrationOptions {
  readonly node: string;
  readonly cores: number;
  /** Its processor's limit: at this it ends. */
  readonly maxTempC: number;
}

export type CalibrationEvent =
  /** Time passes; how busy the machine is with everything, and how warm, as it said last. */
  | { readonly type: 'tick'; readonly busyCores?: number | undefined; readonly tempC?: number | undefined }
  /** The plug. */
  | { readonly type: 'meter'; readonly watts: number }
  /** The processor's own counter, where there is one: W of the package. */
  | { readonly type: 'rapl'; readonly watts: number }
  /** The node is offline, or nobody may ask heat of it any more. */
  | { readonly type: 'lost'; readonly why: string }
  | { readonly type: 'cancel' };

export type CalibrationEffect =
  /** Keep so many cores busy, everything counted; 0: nothing is asked. Said again while it lasts. */
  | { readonly type: 'level'; readonly node: string; readonly cores: number }
  | { readonly type: 'learned'; readonly node: string; readonly model: PowerModel }
  /** The last effect. One sentence for people. */
  | { readonly type: 'ended'; readonly node: string; readonly ok: boolean; readonly text: string };

export class Calibration {
  readonly #it: CalibrationOptions;
  readonly #points: (Point & { readonly rapl?: number })[] = [];
  #level = 0;
  #again = false;
  #since: number;
  #saidAt = Number.NEGATIVE_INFINITY;
  #heardAt: number;
  #watts: number[] = [];
  #rapl: number[] = [];
  #busy: number[] = [];
  #done = false;

  /** The first level is said at the first tick. */
  constructor(options: CalibrationOptions, now: number) {
    this.#it = options;
    this.#since = now;
    this.#heardAt = now;
  }

  get done(): boolean {
    return this.#done;
  }

  /** 0..100, for `is`. */
  get pct(): number {
    return Math.round((100 * (this.#done ? 1 : this.#level)) / (this.#done ? 1 : calibrationRules.shares.length));
  }

  step(event: CalibrationEvent, now: number): readonly CalibrationEffect[] {
    if (this.#done) return [];
    switch (event.type) {
      case 'cancel':
        return this.#fail('calibration was canceled; the model is as it was');
      case 'lost':
        return this.#fail(`calibration ended: ${event.why}; the model is as it was`);
      case 'meter':
        return this.#meter(event.watts, now);
      case 'rapl':
        if (this.#reading(now) && event.watts > 0 && event.watts <= mostNodeW) keep(this.#rapl, event.watts);
        return [];
      case 'tick':
        return this.#tick(event, now);
    }
  }

  #meter(watts: number, now: number): readonly CalibrationEffect[] {
    if (!(watts >= 0 && watts <= mostNodeW)) return [];
    this.#heardAt = now;
    if (this.#reading(now)) keep(this.#watts, watts);
    return [];
  }

  #reading(now: number): boolean {
    return now - this.#since >= calibrationRules.settleMs;
  }

  #tick(
    { busyCores, tempC }: { readonly busyCores?: number | undefined; readonly tempC?: number | undefined },
    now: number,
  ): readonly CalibrationEffect[] {
    const { node, maxTempC, cores } = this.#it;
    if (tempC !== undefined && tempC >= maxTempC)
      return this.#fail(
        `calibration ended: its processor is at ${Math.round(tempC)} °C, the limit is ${maxTempC} °C (max_temp_c); let it cool, clean it, and start again`,
      );
    if (now - this.#heardAt > calibrationRules.silentMs)
      return this.#fail(
        'calibration ended: its plug said nothing for three minutes; look whether it is reachable and sends its power',
      );
    if (busyCores !== undefined && this.#reading(now) && busyCores >= 0 && busyCores <= cores)
      keep(this.#busy, busyCores);
    const ended = this.#levelEnded(now);
    if (this.#done || now - this.#saidAt < calibrationRules.renewMs) return ended;
    this.#saidAt = now;
    return [...ended, { type: 'level', node, cores: this.#cores }];
  }

  get #cores(): number {
    return this.#it.cores * (calibrationRules.shares[this.#level] as number);
  }

  #levelEnded(now: number): readonly CalibrationEffect[] {
    const { settleMs, readMs, mostReadMs, readings, shares } = calibrationRules;
    const readFor = now - this.#since - settleMs;
    if (readFor < readMs) return [];
    const few = this.#watts.length < readings || this.#busy.length < readings;
    if (few && readFor < mostReadMs) return [];
    if (few)
      return this.#fail(
        this.#watts.length < readings
          ? `calibration ended: its plug said its power ${this.#watts.length} times in three minutes; make it say it every 10 s (Tasmota: TelePeriod 10)`
          : 'calibration ended: the node does not say how busy it is; shorten its reporting period',
      );
    const why = this.#wrong();
    if (why !== undefined) {
      if (this.#again) return this.#fail(why);
      this.#begin(now, true);
      return [];
    }
    const rapl = this.#rapl.length >= readings ? { rapl: meanOf(robust(this.#rapl).kept) } : {};
    this.#points.push({
      share: Math.min(1, meanOf(robust(this.#busy).kept) / this.#it.cores),
      watts: meanOf(robust(this.#watts).kept),
      ...rapl,
    });
    this.#level++;
    if (this.#level >= shares.length) return this.#finish();
    this.#begin(now, false);
    return [];
  }

  #begin(now: number, again: boolean): void {
    this.#since = now;
    this.#again = again;
    this.#saidAt = Number.NEGATIVE_INFINITY;
    this.#watts = [];
    this.#rapl = [];
    this.#busy = [];
  }

  /** What is wrong with the readings of this level: tried once more, then the end. */
  #wrong(): string | undefined {
    const { cores } = this.#it;
    const watts = robust(this.#watts);
    const w = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} W`;
    const busy = robust(this.#busy);
    if (!isLevel(this.#busy, busy.median, Math.max(0.3, otherShare * cores)))
      return `calibration ended: other work came and went (from ${Math.min(...this.#busy).toFixed(1)} to ${Math.max(...this.#busy).toFixed(1)} cores busy at one level); drain the node first`;
    if (this.#level === 0 && busy.median > Math.max(0.5, idleShare * cores))
      return `calibration ended: ${busy.median.toFixed(1)} cores are busy with other work; drain the node first`;
    if (!isLevel(this.#watts, watts.median, Math.max(noisyW, noisyShare * watts.median)))
      return `calibration ended: its plug jumps (from ${w(Math.min(...this.#watts))} to ${w(Math.max(...this.#watts))} at one level); is something else plugged in beside the machine?`;
    return undefined;
  }

  #finish(): readonly CalibrationEffect[] {
    const { node } = this.#it;
    const most = this.#points.at(-1) as Point;
    if (most.share < peakShare)
      return this.#fail(
        `calibration ended: only ${Math.round(100 * most.share)} % of its cores became busy; see whether it may use all of them (cores, max_temp_c) and has the burner`,
      );
    const fit = fitOf(this.#points);
    const range = fit ? fit.peakW - fit.idleW : 0;
    if (!fit || range < Math.max(leastW, leastShare * fit.peakW))
      return this.#fail(
        `calibration ended: its plug shows ${(fit?.idleW ?? most.watts).toFixed(1)} W idle and ${(fit?.peakW ?? most.watts).toFixed(1)} W busy; is it this machine’s plug?`,
      );
    if (fit.residual > mostResidual)
      return this.#fail(
        'calibration ended: its plug does not show more at higher levels; is something else plugged in beside the machine?',
      );
    const model: PowerModel = {
      idleW: fit.idleW,
      peakW: fit.peakW,
      exponent: fit.exponent,
      ...(fit.curve ? { curve: fit.curve } : {}),
      ...this.#raplLine(),
      source: 'learned',
      err: Math.min(mostErr, plugErr + 2 * fit.residual),
    };
    if (!isModel(model))
      return this.#fail('calibration ended: no model goes through what its plug showed; start again');
    this.#done = true;
    const text = `learned: ${model.idleW.toFixed(1)} W idle, ${model.peakW.toFixed(1)} W busy, within ${(100 * fit.residual).toFixed(1)} % at ${this.#points.length} levels`;
    return [
      { type: 'level', node, cores: 0 },
      { type: 'learned', node, model },
      { type: 'ended', node, ok: true, text },
    ];
  }

  /** The machine's watts by RAPL's: nothing where they do not go together. */
  #raplLine(): Pick<PowerModel, 'rapl'> {
    const both = this.#points.filter(point => point.rapl !== undefined);
    if (both.length < this.#points.length) return {};
    const line = lineOf(both.map(({ rapl = 0, watts }) => [rapl, watts, 1 / Math.max(1, watts) ** 2]));
    if (!line || line.slope < 0.8 || line.slope > 2.5 || line.base < 0) return {};
    const off = both.some(({ rapl = 0, watts }) => Math.abs(line.base + line.slope * rapl - watts) > 0.1 * watts);
    return off ? {} : { rapl: line };
  }

  #fail(text: string): readonly CalibrationEffect[] {
    this.#done = true;
    const { node } = this.#it;
    return [
      { type: 'level', node, cores: 0 },
      { type: 'ended', node, ok: false, text },
    ];
  }
}

/** Most readings lie next to their median. */
const isLevel = (values: readonly number[], median: number, noise: number) =>
  values.filter(value => Math.abs(value - median) <= noise).length >= leastNear * values.length;

function keep(values: number[], value: number): void {
  if (values.length < mostReadings) values.push(value);
}
