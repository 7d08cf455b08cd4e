/** What single items say, and what is said of them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createLedgerFile } from '../../node-agent/reconcile/packages/ledger-file.ts';
import { memoryLedger, PackageRig, type WantedPackages } from '../fixture/packages/packages-rig.ts';
import { stage } from '../fixture/packages/toy-stage.ts';
import { folder } from '../fixture/processes.ts';

const packages = suite('packages: items');

packages(
  'two items may name one package: it stays while either does; where they say different things both fail',
  () => {
    const { apply, apt, node } = stage();
    apply({ one: {}, other: { name: 'one', version: '1', hold: true } });
    assert.equal([apt.installed.get('one')?.ver, apt.held.has('one')], ['1', true]);
    assert.equal(node.states(), { one: 'ok', other: 'ok' });
    apply({ one: {} });
    assert.equal([apt.installed.get('one')?.ver, apt.held.has('one')], ['1', false]);
    apply({ one: { version: '1' }, other: { name: 'one', version: '2' } });
    assert.equal(node.states(), { one: 'failed', other: 'failed' });
    assert.match(node.status('one')?.err ?? '', '"one" and "other" say different things of one package');
    apply({ other: { name: 'one', state: 'absent' }, one: {} });
    assert.equal(node.states(), { one: 'failed', other: 'failed' });
    assert.ok(apt.installed.has('one'));
  },
);

packages('a removal that is refused is told of under its old name, and made when it can be', () => {
  const { apply, apt, node } = stage(machine => {
    machine.installed.set('theirs', { ver: '1' });
  });
  apply({ mine: { name: 'one' } });
  apt.person(() => apt.depends.set('theirs', 'one'));
  apply({});
  assert.equal(node.states(), { mine: 'failed' });
  assert.match(node.table.error(), 'packages/mine: it would remove theirs too');
  assert.ok(apt.installed.has('one'));
  apt.person(() => apt.installed.delete('theirs'));
  apply({ two: {} });
  assert.equal([...apt.installed.keys()], ['two']);
  assert.equal(node.states(), { two: 'ok' });
});

packages('what is no name, no version or no place for its manager is refused before anything is asked', () => {
  const { apply, apt, node } = stage(machine => {
    machine.programs = ['apt-get', 'npm', 'python3'];
  });
  const bad: WantedPackages = {
    a: { name: 'one/stable' },
    b: { name: 'One' },
    c: { into: '/opt/x' },
    d: { provider: 'npm', name: 'user/repo' },
    e: { provider: 'npm', version: 'latest' },
    f: { provider: 'npm', version: '1.2.3', hold: true },
    g: { provider: 'pip', name: 'x[y]' },
    h: { provider: 'pip', version: '1-evil' },
    i: { state: 'absent', version: '1' },
    j: { provider: 'pip', into: '/usr' },
  };
  assert.equal(apply(bad).steps, 0);
  assert.equal([...new Set(Object.values(node.states()))], ['failed']);
  assert.equal(apt.commands, []);
  for (const item of Object.keys(bad)) assert.ok((node.status(item)?.err ?? '').length > 20, item);
});

packages('reported drift is not put right, not even by another document', () => {
  const { apply, apt, node, clock } = stage();
  const wanted = { one: { version: '1', drift: 'report' } } as const;
  apply(wanted);
  apt.person(() => apt.installed.set('one', { ver: '2' }));
  clock.advance(1_000);
  assert.equal(node.status('one')?.err, '"one" is 2, not 1');
  assert.is(node.states().one, 'drifted');
  apply({ ...wanted, two: {} });
  assert.is(apt.installed.get('one')?.ver, '2');
  apply({ one: { version: '2', drift: 'report' } });
  assert.is(node.states().one, 'ok');
});

packages('where nothing can be written down nothing is changed, and it is tried again', () => {
  const { clock, apt } = stage();
  let full = true;
  const ledger = memoryLedger();
  const disk = {
    load: () => ledger.load(),
    save(next: Parameters<typeof ledger.save>[0]) {
      if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      ledger.save(next);
    },
  };
  const node = new PackageRig({ machine: apt.machine(clock), disk, clock });
  node.start();
  node.apply({ one: {} });
  clock.advance(5_000);
  assert.is(node.states().one, 'waiting');
  assert.match(node.status('one')?.err ?? '', /cannot write down what Hearth installs \(ENOSPC\)/);
  assert.equal([...apt.installed], []);
  full = false;
  clock.advance(60_000);
  assert.is(node.states().one, 'ok');
});

packages('progress is told as it goes, a few times a second at most', () => {
  const { apply, node } = stage(machine => {
    machine.lineMs = 20;
  });
  apply({ one: { version: '1' }, two: {} });
  const doings = node.told.one?.flatMap(({ doing }) => doing ?? []) ?? [];
  assert.ok(doings.includes('installing one 1'), `${doings}`);
  assert.ok(
    doings.some(text => /^installing one 1 \([3-9]\d %\)$/.test(text)),
    `${doings}`,
  );
  assert.ok(doings.length < 12, `${doings}`);
  assert.ok(node.told.two?.some(({ doing }) => /^installing two 2 \(\d+ %\)$/.test(doing ?? '')));
});

packages('a ledger that cannot be read is kept beside and said, and its packages are left alone', () => {
  const data = join(folder(), 'items');
  mkdirSync(data);
  writeFileSync(join(data, 'packages.json'), '{"format":1,"packages":{"x":');
  const { ledger, problem } = createLedgerFile(data).load();
  assert.equal(ledger, { packages: {}, settled: {} });
  assert.match(problem ?? '', 'which says what packages Hearth installed');
  assert.match(readFileSync(join(data, 'packages.json.damaged'), 'utf8'), '"format":1');
});

packages.run();
