/** The figures of a season as rows: one column for each way to heat, then the target and what became of it. */
import type { Metered } from '../../fixture/power/metered.ts';
import type { Figures } from '../../heat/figures.ts';
import { figure, type Table } from '../table.ts';

const atMost = (value: number, target: number): string =>
  value <= target ? 'reached' : `missed by ${Math.ceil((value / target - 1) * 100)} %`;
const atLeast = (value: number, target: number): string =>
  value >= target ? 'reached' : `missed by ${Math.ceil((1 - value / target) * 100)} %`;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

export function figureRows(all: readonly Figures[], ours: Figures, hysteresis: Figures): string[][] {
  const row = (what: string, value: (one: Figures) => string, target = '', verdict = '') => [
    what,
    ...all.map(value),
    target,
    verdict,
  ];
  const half = hysteresis.occupiedError / 2;
  return [
    row(
      'mean absolute error while occupied, °C',
      one => one.occupiedError.toFixed(3),
      '≤ 0.2',
      atMost(ours.occupiedError, 0.2),
    ),
    row(
      'the same ÷ hysteresis',
      one => (one.occupiedError / hysteresis.occupiedError).toFixed(2),
      '≤ 0.5',
      atMost(ours.occupiedError, half),
    ),
    row('feasible hours within ±0.3 °C', one => percent(one.within), '≥ 95 %', atLeast(ours.within, 0.95)),
    row('starts per day, the busiest machine', one => one.mostStarts.toFixed(1), '≤ 4', atMost(ours.mostStarts, 4)),
    row('feasible hours per room and day', one => one.feasible.toFixed(1)),
    row('kWh', one => figure(one.kWh)),
    row('task-hours done as heat', one => `${figure(one.tasks.done)} of ${figure(one.tasks.came)}`),
    row('the same ÷ core-hours that heated', one => percent(one.tasks.done / one.coreHours)),
  ];
}

/** The model of a calibrated machine against what it was metered to draw (tests/fixture/power). */
export function calibrationTable(all: readonly Metered[]): Table {
  const errors = all.map(({ error }) => error);
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  const [worst] = all.toSorted((a, b) => b.error - a.error);
  const most = worst?.error ?? Number.NaN;
  const row = (what: string, error: number) => [what, percent(error), '≤ 5 %', atMost(error, 0.05)];
  return {
    title: `Model against metered, after calibration: ${new Set(all.map(({ machine }) => machine)).size} machines’ published SPECpower results, the levels that were not measured`,
    columns: ['what', 'off', 'target', ''],
    rows: [row('mean', mean), row(`at most: ${worst?.machine} at ${figure(100 * (worst?.level ?? 0))} %`, most)],
  };
}

/** Only who asks for watts can be held to them. */
export function deliveryRows(all: readonly Figures[], ours: Figures): string[][] {
  const { mean, p95, within } = ours.deliveryError;
  const others = all.slice(1).map(() => '–');
  return [
    ['delivered off demanded watts, 10 minutes: mean', percent(mean), ...others, '≤ 5 %', atMost(mean, 0.05)],
    ['the same: 95 % are below', percent(p95), ...others, '≤ 5 %', atMost(p95, 0.05)],
    ['the same: within ±5 %', percent(within), ...others, '', ''],
  ];
}
