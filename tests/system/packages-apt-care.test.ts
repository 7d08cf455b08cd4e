/** apt among other people: their locks, holds, packages and interrupted runs, and agents that are killed. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type AptWorld, aptNeeds, aptWorld } from '../fixture/packages/apt-world.ts';
import { onStage, type Stage } from '../fixture/packages/conformance.ts';
import { start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const apt = suite('packages: apt with care');

const test = (name: string, run: (stage: Omit<Stage, 'world'> & { world: AptWorld }) => Promise<void>) =>
  testWith(apt, aptNeeds, name, () => onStage(aptWorld, stage => run(stage as Stage & { world: AptWorld })));

/** Configures until a file is there, having said by others that it began and that it waits; and fails where nobody can be told. */
const slow = (place: string) =>
  `set -e; echo run >> ${place}/runs; touch ${place}/waits; while [ ! -e ${place}/go ]; do sleep 0.05; done; echo configured`;

test('a hold is set, survives a change of version, and is taken back with the item', async ({ world, agent, item }) => {
  const { debian } = world;
  await world.person('install', 'two');
  const node = agent();
  for (const version of ['1.0.0', '2.0.0']) {
    const { errors } = await node.applied({ one: item({ version, hold: true }), two: item({ hold: true }) });
    assert.equal(errors, []);
    assert.equal(debian.installed(), [`one ${version} hi`, 'two 1.0.0 hi']);
  }
  assert.equal((await node.applied({ one: item({ version: '2.0.0' }) })).errors, []);
  assert.equal(debian.installed(), ['one 2.0.0 ii', 'two 1.0.0 ii']);
  assert.equal((await node.applied({ one: item({ version: '2.0.0', hold: true }) })).errors, []);
  assert.equal((await node.applied({})).errors, []);
  assert.equal(debian.installed(), ['two 1.0.0 ii']);
});

test('what a person holds is not changed, and nobody takes their hold off', async ({ world, agent, item }) => {
  await world.person('install', 'one=1.0.0');
  await world.debian.person('apt-mark', 'hold', 'one');
  const node = agent();
  const { steps } = await node.applied({
    one: item({ version: '2.0.0' }),
    gone: item({ name: 'two', state: 'absent' }),
  });
  assert.equal(steps, []);
  assert.is(node.status('one')?.state, 'failed');
  assert.match(node.status('one')?.err ?? '', 'somebody holds "one" at 1.0.0');
  await node.applied({ one: item({ state: 'absent' }) });
  assert.is(node.status('one')?.state, 'failed');
  await node.applied({ one: item({ hold: true }) });
  assert.is(node.status('one')?.state, 'ok');
  await node.applied({});
  assert.equal(world.debian.installed(), ['one 1.0.0 hi']);
});

test('what would take packages of other people with it is refused by name, and the rest goes on', async ({
  world,
  agent,
  item,
}) => {
  const { debian } = world;
  debian.offer(
    { name: 'base', version: '1' },
    { name: 'app', version: '1', depends: 'base' },
    { name: 'rival', version: '1', conflicts: 'app' },
    { name: 'vital', version: '1', more: 'Essential: yes' },
  );
  await world.person('install', 'app');
  await world.person('install', 'vital');
  const node = agent();
  const wanted = {
    base: item({ state: 'absent' }),
    rival: item(),
    vital: item({ state: 'absent' }),
    two: item(),
  };
  await node.applied(wanted);
  assert.equal(node.states(), { base: 'failed', rival: 'failed', two: 'ok', vital: 'failed' });
  assert.match(node.status('base')?.err ?? '', 'it would remove app too, which somebody installed');
  assert.match(node.status('rival')?.err ?? '', 'it would remove app too, which somebody installed');
  assert.match(node.status('vital')?.err ?? '', 'without which this system does not work');
  assert.equal(debian.installed(), ['app 1 ii', 'base 1 ii', 'two 1.0.0 ii', 'vital 1 ii']);
});

test('what only came along with something that is gone may go with what it needs', async ({ world, agent, item }) => {
  const { debian } = world;
  debian.offer(
    { name: 'base', version: '1' },
    { name: 'middle', version: '1', depends: 'base' },
    { name: 'app', version: '1', depends: 'middle' },
  );
  await world.person('install', 'app');
  await world.person('remove', 'app');
  const node = agent();
  assert.equal((await node.applied({ base: item({ state: 'absent' }) })).errors, []);
  assert.equal(
    debian.installed().filter(line => line.endsWith('ii')),
    [],
  );
});

test('another apt at work is waited for, and people are told which', async ({ world, data, agent, item }) => {
  const { debian } = world;
  debian.offer({ name: 'slow', version: '1', postinst: slow(data) });
  await debian.person('apt-get', '-q', 'update');
  const person = start('apt-get', ['-y', 'install', 'slow'], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', ...debian.env },
  });
  await until('configuring', () => readdirSync(data).includes('waits'));
  const node = agent();
  const applied = node.applied({ one: item() });
  await node.when('waiting', () => node.status('one')?.state === 'waiting' && node.status('one')?.doing !== undefined);
  assert.is(node.status('one')?.doing, `waiting for another apt-get (pid ${person.pid})`);
  writeFileSync(join(data, 'go'), '');
  assert.equal((await applied).errors, []);
  assert.is(await person.ended, 0);
  assert.equal(debian.installed(), ['one 2.0.0 ii', 'slow 1 ii']);
});

test('a run that was interrupted is finished first', async ({ world, data, agent, item }) => {
  const { debian } = world;
  // Its script kills dpkg, once.
  debian.offer({
    name: 'mean',
    version: '1',
    postinst: `[ -e ${data}/once ] || { touch ${data}/once; kill -9 $PPID; }`,
  });
  await debian.person('apt-get', '-q', 'update');
  await debian.person('apt-get', '-y', 'install', 'mean').then(
    () => assert.unreachable('dpkg was not killed'),
    () => {},
  );
  const node = agent();
  assert.equal((await node.applied({ one: item() })).errors, []);
  assert.ok(node.changes().includes('dpkg --force-confdef --force-confold --configure -a'), node.changes().join('\n'));
  assert.equal(debian.installed(), ['mean 1 ii', 'one 2.0.0 ii']);
});

test('lists are fetched when something is unknown, or gone from the server, and not otherwise', async ({
  world,
  agent,
  item,
}) => {
  const { debian } = world;
  const fetched = () => debian.asked.filter(name => name === 'Packages').length;
  const node = agent();
  await node.applied({ two: item() });
  assert.is(fetched(), 1);
  await node.applied({ two: item(), one: item({ version: '1.0.0' }) });
  assert.is(fetched(), 1);
  debian.lose('one_2.0.0.deb');
  debian.offer({ name: 'one', version: '3.0.0' });
  assert.equal((await node.applied({ two: item(), one: item({ version: '3.0.0' }) })).errors, []);
  assert.is(fetched(), 2);
  await node.applied({});
  await debian.person('apt-get', 'clean');
  debian.lose('one_3.0.0.deb');
  debian.offer({ name: 'one', version: '4.0.0' });
  assert.equal((await node.applied({ one: item() })).errors, []);
  assert.is(fetched(), 3);
  assert.is(world.installed('one'), '4.0.0');
});

test('what people wrote into a configuration file stays, and nobody is asked', async ({ world, agent, item }) => {
  const { debian } = world;
  debian.offer(
    { name: 'set', version: '1', config: 'as shipped\n' },
    { name: 'set', version: '2', config: 'shipped anew\n' },
  );
  const node = agent();
  await node.applied({ set: item({ version: '1' }) });
  const file = join(debian.system, 'etc/set.conf');
  writeFileSync(file, 'mine\n');
  assert.equal((await node.applied({ set: item({ version: '2' }) })).errors, []);
  assert.is(readFileSync(file, 'utf8'), 'mine\n');
});

test('a package that cannot be configured fails by its name, and the others are there', async ({
  world,
  agent,
  item,
}) => {
  world.debian.offer({ name: 'sick', version: '1', postinst: 'echo no luck >&2; exit 3' });
  const node = agent();
  await node.applied({ sick: item(), two: item() });
  assert.equal(node.states(), { sick: 'failed', two: 'ok' });
  assert.match(node.status('sick')?.err ?? '', 'sick');
  // It was not there before: with the item it goes, half installed as it is.
  await node.applied({ two: item() });
  assert.equal(world.debian.installed(), ['two 1.0.0 ii']);
});

test('an agent killed while dpkg configures: dpkg ends well, and the next agent has nothing to do', async ({
  world,
  data,
  agent,
  item,
}) => {
  const { debian } = world;
  debian.offer({ name: 'slow', version: '1', postinst: slow(data) });
  const wanted = { slow: item(), two: item() };
  const script = join(import.meta.dirname, '../fixture/packages/agent-process.ts');
  const args = ['--import', 'tsx', script, data, debian.system, JSON.stringify(debian.env), JSON.stringify(wanted)];
  const killed = start(process.execPath, args);
  await until('configuring', () => readdirSync(data).includes('waits'));
  await killed.stop('SIGKILL');
  const node = agent();
  const applied = node.applied(wanted);
  await node.when('waiting for the apt of the agent that is gone', () =>
    /apt-get \(pid/.test(node.status('slow')?.doing ?? ''),
  );
  writeFileSync(join(data, 'go'), '');
  assert.equal((await applied).errors, []);
  assert.equal(debian.installed(), ['slow 1 ii', 'two 1.0.0 ii']);
  // It was configured once, and well, though nobody was there any more to read what it said.
  assert.is(readFileSync(join(data, 'runs'), 'utf8'), 'run\n');
  await node.applied({});
  assert.equal(debian.installed(), []);
});

apt.run();
