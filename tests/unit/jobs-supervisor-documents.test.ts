/** A node's part in jobs: whose word counts, what the node hears of it, and what `where` sees of the node. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile, type NodeEntry, type RoleEntry } from '../../broker/desired/compile.ts';
import { type NodeSaid, NodeViews } from '../../broker/jobs/node-view.ts';
import type { NodeView } from '../../shared/fleet-view.ts';
import { rig } from '../fixture/supervisor-rig.ts';

const jobs = suite('jobs: documents of nodes');

const [a, b, c] = ['a', 'b', 'c'].map(digit => `artifact:${digit.repeat(64)}`) as [string, string, string];
const role = (document: RoleEntry['document']): RoleEntry => ({ document, rev: 1 });

jobs('key by key the node’s own word, then its first role’s by name, then that of all; plugins one by one', () => {
  const entry: NodeEntry = { document: { roles: ['y', 'x'], jobs: { slots: 2, plugins: { p: a } } }, rev: 1 };
  const roles = new Map([
    ['all', role({ jobs: { slots: 8, inline: true, max_temp_c: 60, plugins: { p: c, q: c, r: c } } })],
    ['x', role({ jobs: { slots: 4, inline: false, plugins: { q: b } } })],
    ['y', role({ jobs: { slots: 6, inline: true, scripts: true, plugins: { q: c } } })],
  ]);
  assert.equal(compile('n1', entry, roles).jobs, {
    ...{ slots: 2, inline: false, scripts: true },
    plugins: { p: a, q: b, r: c },
  });
});

jobs('who says nothing hears nothing, and an older agent sees no key', () => {
  assert.not('jobs' in compile('n1', { document: {}, rev: 1 }, new Map()));
  const hot: NodeEntry = { document: { jobs: { max_temp_c: 60 } }, rev: 1 };
  assert.not('jobs' in compile('n1', hot, new Map()), 'the temperature is the supervisor’s to watch');
});

jobs('set on a node and on a role, and what is wrong is said', () => {
  const one = rig();
  one.broker
    .connect('hearth-n1')
    .publish(
      'hearth/node/n1/lwt',
      JSON.stringify({ epoch: 1, inst: 'aaaaaaaa', online: true, period_ms: 5000, proto: 1 }),
    );
  one.sync();
  assert.is(one.ask('node/n1/set/jobs/slots', '3').ok, true);
  assert.is(one.ask('role/all/set', JSON.stringify({ jobs: { inline: true } })).ok, true);
  assert.equal(one.want('n1')?.jobs, { slots: 3, inline: true });
  for (const [key, value] of [
    ['slots', '-1'],
    ['slots', '1.5'],
    ['max_temp_c', '300'],
    ['inline', 'perhaps'],
    ['speed', '3'],
    ['plugins/render', 'artifact:short'],
  ]) {
    const { ok, error = '' } = one.ask(`node/n1/set/jobs/${key}`, value);
    assert.is(ok, false, `${key} ${value}`);
    assert.match(error, /jobs/);
  }
});

const said: NodeSaid = {
  roles: ['render'],
  labels: { zone: 'attic', gpu: 'rtx', arch: 'fake' },
  drain: false,
  jobs: {},
};
const shown: NodeView = {
  ...{ id: 'n1', online: true, since_ms: 0, want_rev: 1 },
  info: { node: 'n1', arch: 'x64', cores: 4, mem_mb: 1000, zone: 'cellar', plugins: 'render, noop', macs: 'x' },
  load: { node: 'n1', epoch: 1, seq: 1, cpu_pct: 50, mem_mb: 400, temp_c: 61 },
};

jobs('facts are what the machine says, and labels what the cluster says of it', () => {
  const { facts, plugins, can, load, maxTempC, inline, closed } = new NodeViews().of('n1', shown, said);
  assert.equal(facts, {
    ...{ node: 'n1', arch: 'x64', cores: 4, mem_mb: 1000, roles: ['render'] },
    ...{ zone: 'attic', label_zone: 'attic', gpu: 'rtx', label_gpu: 'rtx', label_arch: 'fake' },
  });
  assert.equal(
    [plugins, can],
    [
      ['render', 'noop'],
      ['run', 'plugin', 'package', 'code'],
    ],
  );
  assert.equal(load, { cpu_pct: 50, mem_free_mb: 600, temp_c: 61 });
  assert.equal([maxTempC, inline, closed], [85, false, undefined]);
});

jobs('watts by labels where nothing is measured; drained and slots 0 are closed', () => {
  const views = new NodeViews();
  const labels = { watts_idle: '10', watts_max: '30' };
  assert.is(views.of('n1', shown, { ...said, labels }).load.watts, 20);
  assert.is(
    views.of('n1', { ...shown, load: { node: 'n1', epoch: 1, seq: 1, watts: 7 } }, { ...said, labels }).load.watts,
    7,
  );
  assert.match(views.of('n1', shown, { ...said, drain: true }).closed ?? '', /drained/);
  assert.match(views.of('n1', shown, { ...said, jobs: { slots: 0 } }).closed ?? '', /slots/);
});

jobs('facts stay the same object until one of them is another', () => {
  const views = new NodeViews();
  const first = views.of('n1', shown, said).facts;
  assert.is(views.of('n1', { ...shown, load: { node: 'n1', epoch: 1, seq: 2 } }, said).facts, first);
  assert.is(views.of('n1', { ...shown, info: { node: 'n1', ...shown.info } }, { ...said }).facts, first);
  assert.is.not(views.of('n1', shown, { ...said, roles: ['render', 'x'] }).facts, first);
});

jobs.run();
