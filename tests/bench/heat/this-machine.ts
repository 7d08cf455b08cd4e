/**
 * Heat on this machine, with nobody's part played: a supervisor and its agent, tasks that burn, Home Assistant where it can
 * be installed; and what the kernel says that they used. The machine has to be quiet: heat gives way to whatever runs.
 */
import { heatedMachine } from '../../fixture/heated-machine.ts';
import { isThere } from '../../fixture/programs.ts';
import { heatByThermostat } from '../../peers/homeassistant/heats.ts';
import { needs, startHomeAssistant } from '../../peers/homeassistant/home-assistant.ts';
import { addMqtt } from '../../peers/homeassistant/mqtt-entry.ts';
import type { BenchOptions } from '../report.ts';
import type { Table } from '../table.ts';

const levels = [0.25, 0.5, 0.8];
/** Until a level that was just asked for has come: ramp, quota and what the loop corrects. */
const settleMs = 20_000;
const mostOff = 0.05;
const mostRaisedMs = 2000;

const verdict = (reached: boolean): string => (reached ? 'reached' : 'missed');

export async function onThisMachine({ quick }: BenchOptions): Promise<Table> {
  const machine = await heatedMachine({ alone: false });
  await machine.prepare();
  const rows: string[][] = [];
  if (needs.every(isThere)) {
    const home = await startHomeAssistant();
    await addMqtt(home, { port: machine.cluster.ready.mqtt });
    const raised = await heatByThermostat(home, machine);
    await home.stop();
    const worst = Math.max(...raised);
    const all = raised.map(ms => (ms / 1000).toFixed(2)).join(', ');
    rows.push(['raised in Home Assistant, until a task runs: s', '', all, '≤ 2', verdict(worst <= mostRaisedMs)]);
  }
  for (const level of levels) {
    await machine.demand(level * machine.cores);
    await new Promise(resolve => setTimeout(resolve, settleMs));
    const { machine: busy, own } = await machine.share(quick ? 10_000 : 30_000);
    const asked = machine.asked() ?? 0;
    const off = busy / asked - 1;
    const said = `${busy.toFixed(3)}, its tasks ${own.toFixed(3)} (${off < 0 ? '' : '+'}${(100 * off).toFixed(1)} %)`;
    rows.push(['busy cores', asked.toFixed(2), said, '±5 %', verdict(Math.abs(off) <= mostOff)]);
  }
  await machine.stop();
  return {
    title: `This machine, ${machine.cores} cores: a job of class heat, dimmed; by /proc/stat and the tasks’ own`,
    columns: ['what', 'asked for', 'measured', 'target', ''],
    rows,
  };
}
