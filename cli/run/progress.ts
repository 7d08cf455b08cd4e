/** How far a job is, as one line that is written over itself. */
import { printable } from '../../shared/names.ts';
import type { JobIs } from '../../shared/schemas/job.ts';

const drawMs = 100;
/** The rate is that of about so long. */
const rateMs = 5000;

/** `5 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const s = Math.ceil(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

export const perSecond = (rate: number): string =>
  rate >= 10 ? `${Math.round(rate)}/s` : rate >= 1 ? `${rate.toFixed(1)}/s` : `${(rate * 60).toFixed(1)}/min`;

/** @param rate tasks per second; 0: not known yet. @param columns of the terminal. */
export function taskLine(is: JobIs, rate: number, columns: number): string {
  const { job, tasks, running, succeeded, failed, paused } = is;
  const done = succeeded + failed;
  const percent = `${tasks === 0 ? 0 : Math.floor((done / tasks) * 100)} %`.padStart(5);
  const parts = [
    `${done}/${tasks}`,
    failed > 0 ? `${failed} failed` : '',
    paused ? 'paused' : running > 0 ? `${running} running` : '',
    rate > 0 && done < tasks ? perSecond(rate) : '',
    rate > 0 && done < tasks && !paused ? `${duration((tasks - done) / rate)} left` : '',
  ].filter(part => part !== '');
  const tail = ` ${percent}  ${parts.join('  ')}`;
  const room = columns - tail.length - 4;
  const bar = Math.max(0, Math.min(24, room - 12));
  const label = printable(job, Math.max(8, room - bar));
  const full = tasks === 0 ? 0 : Math.round((done / tasks) * bar);
  const line = `${label} ${bar > 0 ? `[${'#'.repeat(full)}${'-'.repeat(bar - full)}]` : ''}${tail}`;
  return line.slice(0, Math.max(0, columns - 1));
}

/** Tasks per second, of late: what was long ago counts less and less. */
export class Rate {
  #at: number;
  #done: number;
  #rate = 0;

  constructor(now: number, done: number) {
    this.#at = now;
    this.#done = done;
  }

  at(now: number, done: number): number {
    const ms = now - this.#at;
    if (ms < drawMs) return this.#rate;
    const rate = (Math.max(0, done - this.#done) / ms) * 1000;
    const weight = this.#rate === 0 ? 1 : 1 - Math.exp(-ms / rateMs);
    this.#rate += (rate - this.#rate) * weight;
    this.#at = now;
    this.#done = done;
    return this.#rate;
  }
}

export interface TaskBar {
  is(is: JobIs): void;
  /** Takes the line away, until the next `is`. */
  clear(): void;
  /** Draws nothing, until `resume`. */
  pause(): void;
  resume(): void;
}

const none: TaskBar = { is() {}, clear() {}, pause() {}, resume() {} };

/** On a terminal alone; on standard error, so that what is printed can be used. */
export function taskBar(wanted: boolean): TaskBar {
  const { stderr } = process;
  if (!wanted || !stderr.isTTY) return none;
  let rate: Rate | undefined;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn = false;
  let paused = false;
  let last: JobIs | undefined;
  let later: NodeJS.Timeout | undefined;
  const draw = () => {
    clearTimeout(later);
    later = undefined;
    if (paused || !last) return;
    const now = performance.now();
    const done = last.succeeded + last.failed;
    rate ??= new Rate(now, done);
    drawnAt = now;
    drawn = true;
    // A terminal that does not know its width says 0.
    stderr.write(`\r\x1b[2K${taskLine(last, rate.at(now, done), stderr.columns || 80)}`);
  };
  const clear = () => {
    clearTimeout(later);
    later = undefined;
    if (drawn) stderr.write('\r\x1b[2K');
    drawn = false;
  };
  return {
    is(is) {
      last = is;
      const due = drawnAt + drawMs - performance.now();
      if (due <= 0) draw();
      else later ??= setTimeout(draw, due).unref();
    },
    clear,
    pause() {
      clear();
      paused = true;
    },
    resume() {
      paused = false;
      draw();
    },
  };
}
