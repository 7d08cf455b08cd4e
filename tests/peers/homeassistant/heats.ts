/** The thermostat in Home Assistant and the processes on this machine: what is turned there happens here. */
import assert from 'node:assert/strict';
import { type HeatedMachine, room } from '../../fixture/heated-machine.ts';
import { treeOf } from '../../fixture/kernel-times.ts';
import type { HomeAssistant } from './home-assistant.ts';

const thermostat = `climate.hearth_${room}`;

/**
 * A target raised makes a job run, lowered pauses it, and raised again lets the same processes go on: three times.
 * @returns ms from the call to Home Assistant until a task has used processor time, of each.
 */
export async function heatByThermostat(home: HomeAssistant, machine: HeatedMachine): Promise<readonly number[]> {
  const turn = (temperature: number) => home.act('climate', 'set_temperature', thermostat, { temperature });
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
    const counted = machine.begun().map(({ pid }) => ({ pid, count: machine.counted(pid) }));
    await turn(10);
    await machine.stands();
    await home.wait(thermostat, ({ attributes }) => attributes.hvac_action === 'idle');
    for (const { pid, count } of counted) assert.ok(treeOf(pid).length > 0 && machine.counted(pid) >= count);
  }
  const tokens = machine.begun().map(({ token }) => token);
  assert.equal(new Set(tokens).size, tokens.length, `each began once: ${tokens}`);
  console.log(`raised in Home Assistant, a task runs after ${raised.map(ms => `${Math.round(ms)} ms`).join(', ')}`);
  return raised;
}
