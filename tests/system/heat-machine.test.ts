/**
 * A room that this machine heats with jobs: a real supervisor, agent, executor and kernel; nobody's part is played. Runs alone:
 * heat gives way to whatever else wants the cores.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HeatGroups } from '../../node-agent/heat/groups.ts';
import { heatedMachine, room } from '../fixture/heated-machine.ts';
import { middleOf, treeOf } from '../fixture/kernel-times.ts';
import { until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const heat = suite('a machine that heats');

const membersOf = (path: string) => new Set(readFileSync(path, 'utf8').split('\n').map(Number));

/** Of the whole group, as the kernel says: periods of 100 ms in which it used up its quota. */
function throttled(groups: HeatGroups): number {
  const stats = groups.folders('tasks').map(each => join(dirname(each), 'cpu.stat'));
  const all = stats.filter(existsSync).map(path => readFileSync(path, 'utf8'));
  return Number(/^nr_throttled (\d+)$/m.exec(all.join('\n'))?.[1] ?? 0);
}

testWith(
  heat,
  ['root', 'unshare'],
  'its tasks are in the groups that dim, count and freeze them, and stand still with no heat',
  async () => {
    const machine = await heatedMachine();
    const { client, groups, cores } = machine;
    const load = async () => {
      client.forget();
      const { text } = await client.wait('a load', ({ topic }) => topic.endsWith('/load'));
      return (JSON.parse(text) as { heat_cores?: number }).heat_cores ?? 0;
    };
    await machine.prepare();
    assert.equal(machine.begun(), [], 'nothing begins without heat');

    // Warmer: everything begins, and every process of it is where it belongs.
    await client.publish(`hearth/room/${room}/set/target_c`, '25');
    await until('all tasks have begun', () => machine.begun().length === cores);
    const begun = machine.begun();
    await until('both processes of each are there', () => begun.every(({ pid }) => treeOf(pid).length === 2));
    assert.ok(groups.folders('tasks').length > 0);
    const all = begun.flatMap(({ pid }) => treeOf(pid));
    const missing = () =>
      groups.procs('tasks').flatMap(path => all.filter(pid => !membersOf(path).has(pid)).map(pid => `${pid} ${path}`));
    await until(
      () => `all are in their groups, but ${missing()}`,
      () => missing().length === 0,
    );

    // Half of the machine, as watts: what the kernel says that they used.
    await machine.demand(cores / 2);
    const level = await until('a level is asked for', () => {
      const asked = machine.asked();
      return asked !== undefined && asked > 0.3 * cores && asked < 0.7 * cores && asked;
    });
    await until('they are dimmed', async () => {
      const before = throttled(groups);
      return (await machine.share(1000)).own < 1.1 * level && throttled(groups) > before;
    });
    const windows: { own: number; full: number }[] = [];
    while (windows.length < 3) {
      const periods = throttled(groups);
      const { own, seconds } = await machine.share(8000);
      windows.push({ own, full: ((throttled(groups) - periods) * level) / (10 * seconds) });
    }
    const said = windows.map(({ own, full }) => `${own.toFixed(3)} (quota used up: ${full.toFixed(3)})`).join(', ');
    console.log(`asked for ${level} cores, tasks used ${said}`);
    assert.ok(middleOf(windows.map(({ own }) => own)) <= 1.05 * level, `more than ${level} cores: ${said}`);
    // A machine whose cores others want gives less; where the quota was used up, it was all of it.
    assert.ok(middleOf(windows.map(({ own, full }) => own / full)) >= 0.95, `less than its quota: ${said}`);
    await until('the node counts them', async () => {
      const { own } = await machine.share(5000);
      return Math.abs((await load()) - own) < 0.1 * cores;
    });

    // No heat: they stand still, and are there.
    await client.publish(`hearth/room/${room}/in/demand_w`, '0');
    await machine.stands();
    const stood = begun.map(({ pid }) => machine.counted(pid));
    assert.ok(begun.every(({ pid }) => treeOf(pid).length === 2));

    // Heat again: the same processes go on where they were.
    await machine.demand(cores);
    await until('each counts on', () => begun.every(({ pid }, index) => machine.counted(pid) > (stood[index] ?? 0)));
    assert.equal(machine.begun(), begun);
    assert.equal(missing(), []);
    await machine.stop();
  },
);

heat.run();
