/**
 * Heating seasons in virtual time: the real thermometer, controller and allocator beside Home Assistant's `generic_thermostat` rule and a PID that
 * pulses, in the same houses, weather and windows. The houses are in tests/heat.
 */
import { meteredErrors } from '../fixture/power/metered.ts';
import type { Figures } from '../heat/figures.ts';
import { Hearth } from '../heat/hearth.ts';
import { cabin, cottage, flat, type House } from '../heat/house.ts';
import { season } from '../heat/season.ts';
import { Hysteresis, Pulsed } from '../heat/thermostats.ts';
import { Weather } from '../heat/weather.ts';
import { calibrationTable, deliveryRows, figureRows } from './heat/rows.ts';
import { onThisMachine } from './heat/this-machine.ts';
import type { BenchOptions, Report } from './report.ts';
import type { Table } from './table.ts';

interface Case {
  readonly house: House;
  readonly what: string;
  /** The season's seed; more with --rounds. */
  readonly seed: number;
}

const cases: readonly Case[] = [
  { house: flat, what: 'the controller was tuned on it, with other seeds and days', seed: 11 },
  {
    house: cottage,
    what: 'heavy walls, mostly no outdoor reading; what is done about its one thermometer of 0.5 °C steps was found here, and with other seeds and days the integral time',
    seed: 12,
  },
  {
    house: cabin,
    what: 'light walls, large windows; tuned on only as to the integral time, with other seeds and days',
    seed: 13,
  },
];
const stepS = 60;

export async function run(options: BenchOptions): Promise<Report> {
  const wanted = cases.filter(
    ({ house }) => options.only.length === 0 || options.only.some(only => house.name.startsWith(only)),
  );
  const here = options.only.length === 0 || options.only.includes('here');
  const metered = options.only.length === 0 || options.only.includes('model');
  if (wanted.length === 0 && !here && !metered)
    throw new Error(`no such case; there are: ${cases.map(({ house }) => house.name).join(', ')}, model, here`);
  const rounds = options.rounds ?? 1;
  const part = options.quick ? { fromDay: 80, days: 21 } : {};
  const tables: Table[] = here ? [await onThisMachine(options)] : [];
  if (metered) tables.push(calibrationTable(meteredErrors()));
  const raw: Record<string, unknown> = {};
  for (const { house, what, seed } of wanted) {
    for (let round = 0; round < rounds; round++) {
      const at = process.cpuUsage();
      const all = season({ house, seed: seed + 100 * round, stepS, ...part }, [
        of => new Hearth(of),
        of => new Hysteresis(of),
        of => new Pulsed(of),
      ]);
      const { user, system } = process.cpuUsage(at);
      const seconds = (user + system) / 1e6;
      const [ours, hysteresis] = all as [Figures, Figures];
      const title = `${house.name} in ${new Weather(house.place).title}, seed ${seed + 100 * round}: ${what}`;
      tables.push({
        title: `${title}; ${ours.days} days in ${Math.round(seconds)} s of CPU`,
        columns: ['what', ...all.map(({ name }) => name), 'target', ''],
        rows: [...figureRows(all, ours, hysteresis), ...deliveryRows(all, ours)],
      });
      raw[`${house.name} ${seed + 100 * round}`] = all.map(({ delivery: _d, ...rest }) => rest);
    }
  }
  return {
    name: 'heat',
    title: 'Heating',
    versions: ['Hearth', 'Home Assistant core’s generic_thermostat rule', 'PID with gains of HASmartThermostat'],
    conditions: [
      options.quick ? 'three weeks of winter' : 'October to April',
      `virtual time in steps of ${stepS} s, 3 rooms and 8 machines, nothing learned before`,
      'weather hour by hour as measured (TMY3, NREL/DOE, shipped in pvlib); months are of different years, named in tests/heat',
    ],
    tables,
    notes: [
      'Feasible: an hour in which somebody who knows everything, with the same machines from idle to full, would have kept the room within 0.1 °C of its target; hours in which Hearth heats ahead of the schedule count for nobody.',
      'Errors are those of the air itself, not of the thermometer. All three have the same thermometer, machines, windows, people and schedule; the thermostats switch all machines of a room between idle and full.',
      'Delivered: watts at the socket of all machines of a room over ten minutes, against what the controller asked for, within what its machines can draw. Machines are 2 % (with a plug) or 5 % off their model.',
      'Task-hours: tasks of one core-hour come in bursts; what is busy for heat works on them first, and the burner does the rest. With the burner alone the same heat would do none.',
    ],
    raw,
  };
}
