/** How far something is, as one line that is written over itself. */
import { printable } from '../shared/names.ts';

const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `12.3 MB`. */
export function inBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** @param perSecond bytes; 0: not known yet. @param columns of the terminal. */
export function progressLine(name: string, bytes: number, of: number, perSecond: number, columns: number): string {
  const part = of === 0 ? 1 : Math.min(1, bytes / of);
  const percent = `${Math.floor(part * 100)} %`.padStart(5);
  const speed = perSecond > 0 ? `  ${inBytes(perSecond)}/s` : '';
  const tail = ` ${percent}  ${inBytes(bytes)} of ${inBytes(of)}${speed}`;
  const room = columns - tail.length - 4;
  const bar = Math.max(0, Math.min(24, room - 12));
  const label = printable(name, Math.max(8, room - bar));
  const done = Math.round(part * bar);
  const line = `${label} ${bar > 0 ? `[${'#'.repeat(done)}${'-'.repeat(bar - done)}]` : ''}${tail}`;
  return line.slice(0, Math.max(0, columns - 1));
}

export interface ProgressBar {
  at(bytes: number): void;
  /** Takes the line away. */
  end(): void;
}

const drawMs = 100;
const none: ProgressBar = { at() {}, end() {} };

/** On a terminal alone; on standard error, so that what is printed can be used. */
export function progressBar(name: string, of: number, from = 0): ProgressBar {
  const { stderr } = process;
  if (!stderr.isTTY) return none;
  const started = performance.now();
  let drawn = Number.NEGATIVE_INFINITY;
  return {
    at(bytes) {
      const now = performance.now();
      if (now - drawn < drawMs) return;
      drawn = now;
      const perSecond = now - started < 500 ? 0 : ((bytes - from) / (now - started)) * 1000;
      stderr.write(`\r\x1b[2K${progressLine(name, bytes, of, perSecond, stderr.columns ?? 80)}`);
    },
    end: () => void stderr.write('\r\x1b[2K'),
  };
}
