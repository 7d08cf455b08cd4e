/** The thermostat in Home Assistant and the processes on this machine: what is turned there happens here. */
import assert from 'node:assert/strict';
import { type HeatedMachine, room } from '../../fixture/heated-machine.ts';
import { treeOf } from '../../fixture/kernel-times.ts';
import { within } from '../../fixture/promised-time.ts';
import type { HomeAssistant } from './home-assistant.ts';

const thermostat = `climate.hearth_${room}`;

/**
 * A target raised makes a job run within 2 s, lowered pauses it, and raised again lets the same processes go on: three
 * times, each of which is printed.
 */
export async function heatsByThermostat(home: HomeAssistant, machine: HeatedMachine): Promise<void> {
  const turn = (temperature: number) => home.act('climate', 'set_temperature', thermostat, { temperature });
  const pids = () => machine.begun().map(({ pid }) => pid);
  await home.wait(thermostat, ({ state, attributes }) => state === 'heat' && attributes.temperature === 10);
  assert.deepEqual(machine.begun(), [], 'nothing runs in a room that is warm enough');
  const raised: number[] = [];
  for (let round = 0; round < 3; round++) {
    const before = machine.ticks();
    const at = performance.now();
    await turn(25);
    await machine.runsOn(before);
    raised.push(performance.now() - at);
    await home.wait(thermostat, ({ attributes }) => attributes.hvac_action === 'heating');
    const counted = new Map(pids().map(pid => [pid, machine.counted(pid)]));
    await turn(10);
    await machine.stands();
    await home.wait(thermostat, ({ attributes }) => attributes.hvac_action === 'idle');
    for (const [pid, count] of counted) {
      assert.ok(treeOf(pid).length > 0, `${pid} is there`);
      assert.ok(machine.counted(pid) >= count);
    }
  }
  const tokens = machine.begun().map(({ token }) => token);
  assert.equal(new Set(tokens).size, tokens.length, `each began once: ${tokens}`);
  const words = raised.map(ms => `${(ms / 1000).toFixed(2)} s`).join(', ');
  console.log(`raised in Home Assistant, and a task runs after: ${words}`);
  const left = [...raised];
  await within('raised, until a task runs', 2000, async () => left.shift() ?? Number.POSITIVE_INFINITY);
}
