/** By what heat is dimmed: groups of both versions, in a tree that answers as the kernel does; the burner's pace; turns. */
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ticksOf } from '../../node-agent/heat/busy.ts';
import { turns } from '../../node-agent/heat/filler/turns.ts';
import { HeatGroups } from '../../node-agent/heat/groups.ts';
import { firstPace, pace } from '../../node-agent/heat/pace.ts';
import type { GroupFiles } from '../../node-agent/reconcile/services/group-files.ts';
import type { Hierarchy } from '../../node-agent/reconcile/services/hierarchies.ts';

const dimming = suite('dimming');
const failure = (code: string) => Object.assign(new Error(code), { code });

/** Groups that are made get the files of their hierarchy; a quota of version 1 is refused above that of the group above. */
class Tree implements GroupFiles {
  readonly files = new Map<string, string>();
  readonly of: (folder: string) => readonly string[];
  readonly closed: RegExp | undefined;

  constructor(of: (folder: string) => readonly string[], closed?: RegExp) {
    this.of = of;
    this.closed = closed;
  }
  read(path: string): string {
    const text = this.files.get(path);
    if (text === undefined) throw failure('ENOENT');
    return text;
  }
  write(path: string, text: string): void {
    if (!this.files.has(path)) throw failure('ENOENT');
    const quota = /cpu\.cfs_quota_us$/.test(path);
    const above = Number(this.files.get(join(dirname(dirname(path)), 'cpu.cfs_quota_us')) ?? -1);
    if (quota && above > 0 && Number(text) > above) throw failure('EINVAL');
    for (const [other, said] of this.files) {
      const below = quota && other.endsWith('cpu.cfs_quota_us') && dirname(dirname(other)) === dirname(path);
      if (below && Number(said) > Number(text)) throw failure('EINVAL');
    }
    this.files.set(path, text);
  }
  writeLater(): void {
    throw failure('EPERM');
  }
  makeFolder(path: string): void {
    if (this.closed?.test(path)) throw failure('EACCES');
    for (const name of this.of(path)) if (!this.files.has(join(path, name))) this.files.set(join(path, name), '');
  }
}

const first = (controller: string): Hierarchy => ({
  ...{ version: 1, controllers: [controller] },
  ...{ top: `/cg/${controller}`, own: `/cg/${controller}` },
});
const unified: Hierarchy = { version: 2, controllers: [], top: '/cg/unified', own: '/cg/unified' };
const kinds: Readonly<Record<string, readonly string[]>> = {
  cpu: ['cgroup.procs', 'cpu.cfs_quota_us', 'cpu.cfs_period_us', 'cpu.shares', 'cpu.stat'],
  cpuacct: ['cgroup.procs', 'cpuacct.usage'],
  freezer: ['cgroup.procs', 'freezer.state'],
  unified: ['cgroup.procs', 'cpu.stat', 'cgroup.freeze', 'cgroup.subtree_control'],
};
const asMounted = (folder: string) => kinds[folder.split('/')[2] ?? ''] ?? [];

dimming('version 1 with a unified hierarchy beside: quota in one, freezing and counting in the other', () => {
  const tree = new Tree(asMounted);
  const all = [first('cpu'), first('cpuacct'), first('freezer'), unified];
  const groups = HeatGroups.make(all, tree, true, 'heat');
  assert.ok(groups.quota && groups.usage && groups.freezes);
  assert.equal(groups.folders('tasks'), ['/cg/unified/hearth-units/heat/work', '/cg/cpu/heat/work']);
  assert.is(tree.read('/cg/cpu/heat/work/cpu.shares'), '1024');
  assert.is(tree.read('/cg/cpu/heat/filler/cpu.shares'), '102');
  assert.is(tree.read('/cg/cpu/heat/burner/cpu.shares'), '10');
  assert.is(tree.read('/cg/cpu/heat/cpu.shares'), '51');
  // Up and down again: never more below than above.
  for (const total of [0.5, 2, 0.25, 0.004, 1]) {
    groups.limit({ total, filler: total * 0.8, burner: total });
    const us = (path: string) => Number(tree.read(`/cg/cpu/heat${path}/cpu.cfs_quota_us`));
    assert.is(us(''), Math.max(1000, total * 100_000));
    assert.is(us('/burner'), us(''));
    assert.ok(us('/filler') <= us(''));
  }
  groups.freeze('tasks', true);
  assert.is(tree.read('/cg/unified/hearth-units/heat/work/cgroup.freeze'), '1');
  assert.ok(groups.held().includes('kill - /cg/unified/hearth-units/heat/burner/cgroup.procs'));
  tree.files.set('/cg/unified/hearth-units/heat/work/cpu.stat', 'usage_usec 5000\nuser_usec 1\n');
  assert.is(groups.usedMs('tasks'), 5);
});

dimming('version 1 alone counts and freezes in its own hierarchies', () => {
  const tree = new Tree(asMounted);
  const groups = HeatGroups.make([first('cpu'), first('cpuacct'), first('freezer')], tree, true, 'heat');
  assert.is(groups.folders('burner').length, 3);
  groups.freeze('filler', true);
  assert.is(tree.read('/cg/freezer/heat/filler/freezer.state'), 'FROZEN');
  tree.files.set('/cg/cpuacct/heat/burner/cpuacct.usage', '7000000\n');
  assert.is(groups.usedMs('burner'), 7);
});

dimming('where no group may be made there is none', () => {
  const groups = HeatGroups.make([first('cpu'), unified], new Tree(asMounted, /./), false, 'heat');
  assert.not.ok(groups.quota || groups.usage || groups.freezes);
  assert.equal([groups.folders('tasks'), groups.held()], [[], []]);
  groups.limit({ total: 1, filler: 0, burner: 1 });
});

dimming('throttled is who had to wait in most periods since the last look', () => {
  const tree = new Tree(asMounted);
  const groups = HeatGroups.make([first('cpu')], tree, true, 'heat');
  const stat = (periods: number, throttled: number) =>
    tree.files.set('/cg/cpu/heat/cpu.stat', `nr_periods ${periods}\nnr_throttled ${throttled}\n`);
  stat(10, 9);
  assert.ok(groups.throttled());
  stat(20, 10);
  assert.not.ok(groups.throttled());
  assert.not.ok(groups.throttled());
});

dimming('a burner finds its pace, whatever a loop costs', () => {
  for (const costMs of [0.0005, 0.001, 0.02]) {
    for (const wanted of [0.05, 0.3, 0.7, 0.95]) {
      let now = firstPace(wanted);
      const used = () => {
        const on = now.loops * costMs + 1;
        return on / (on + now.pause * 1000);
      };
      for (let look = 0; look < 20; look++) now = pace(now, wanted, used());
      assert.ok(Math.abs(used() - wanted) < 0.02, `${costMs} ${wanted} ${used()}`);
      assert.ok(now.pause <= 0.1);
    }
  }
  assert.is(pace(firstPace(0.5), 1, 0.5).pause, 0);
  assert.ok(Number.isFinite(pace(firstPace(0.5), Number.NaN, Number.NaN).loops));
});

dimming('turns find how long a filler may run', () => {
  let now = turns(undefined, 1, 0, 4, false);
  // It uses three cores while it may.
  for (let look = 0; look < 20; look++) now = turns(now, 1, 3 * now.share, 4, false);
  assert.ok(Math.abs(3 * now.share - 1) < 0.05, `${now.share}`);
  assert.equal(turns(now, 0, 1, 4, true), { share: 0, cores: 4 });
  assert.is(turns(undefined, 1.5, 0, 4, true).cores, 2);
});

dimming('busy is what makes heat here: no idle time, no waiting, nothing for other guests', () => {
  const stat = 'cpu  100 50 30 500 20 5 15 80 40 0\ncpu0 1 1\ncpu1 1 1\nintr 5\n';
  assert.equal(ticksOf(stat), { busy: 200, total: 800, cores: 2 });
  assert.is(ticksOf('nothing'), undefined);
});

dimming.run();
