import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ToyApt } from '../fixture/packages/toy-apt.ts';
import { stage } from '../fixture/packages/toy-stage.ts';

const packages = suite('packages');

packages('with nothing wanted and nothing put there nothing is asked, and the look is done at once', () => {
  const { node, apt } = stage();
  let is = false;
  node.table.look({}, () => {
    is = true;
  });
  assert.ok(is);
  assert.equal(apt.commands, []);
});

packages('the first look is one command for all, the next is none, and one more where the machine changed', () => {
  const { apply, apt } = stage(machine => machine.installed.set('one', { ver: '1' }).set('two', { ver: '2' }));
  const wanted = { one: {}, two: { version: '2' }, gone: { state: 'absent' } } as const;
  assert.equal(apply(wanted), { steps: 0, errors: [] });
  assert.is(apt.commands.length, 1);
  assert.equal(apply(wanted), { steps: 0, errors: [] });
  assert.is(apt.commands.length, 1);
  apt.person(() => {});
  assert.is(apt.commands.length, 2);
});

packages('all that is to change is one transaction', () => {
  const { apply, apt } = stage(machine => machine.installed.set('three', { ver: '1' }));
  assert.equal(apply({ one: { version: '1' }, two: {}, three: { state: 'absent' } }).errors, []);
  const installs = apt.commands.filter(text => / install /.test(text) && !/ -[sd] /.test(text));
  assert.is(installs.length, 1);
  assert.match(installs[0] ?? '', / -- one=1 three- two$/);
});

packages('lists are fetched when they are old, and not when nothing is to be installed', () => {
  const old = (machine: ToyApt) => {
    machine.listsAgeMs = 25 * 3_600_000;
    machine.installed.set('three', { ver: '1' });
  };
  const first = stage(old);
  first.apply({ one: {} });
  assert.is(first.apt.commands.filter(text => text.endsWith(' update')).length, 1);
  const second = stage(old);
  assert.equal(second.apply({ three: { state: 'absent' } }).errors, []);
  assert.is(second.apt.commands.filter(text => text.endsWith(' update')).length, 0);
});

packages('without root nothing is tried, it is said once, and other managers go on', () => {
  const { apply, apt, node } = stage(machine => {
    machine.root = false;
    machine.installed.set('two', { ver: '2' });
  });
  const { errors } = apply({ one: {}, two: {}, tool: { provider: 'npm', into: '/opt/tools' } });
  assert.equal(errors, []);
  assert.equal(node.states(), { one: 'failed', tool: 'failed', two: 'ok' });
  assert.is(node.status('one')?.err, 'needs root');
  assert.is(node.status('tool')?.err, 'this machine has no npm');
  assert.is(node.table.error(), 'packages/one: needs root');
  assert.equal(
    apt.commands.filter(text => !text.startsWith('dpkg-query')),
    [],
  );
});

packages('a machine without any manager says so', () => {
  const { apply, node } = stage(machine => {
    machine.programs = [];
  });
  apply({ one: {}, two: { provider: 'dnf' } });
  assert.match(node.status('one')?.err ?? '', 'none of apt, dnf, pacman, apk and brew');
  assert.is(node.status('two')?.err, 'this machine has no dnf');
});

packages('a manager that comes later is found, by what brought it or by itself', () => {
  const { apply, apt, node, clock } = stage(machine => {
    machine.programs = [];
  });
  apply({ one: { provider: 'apt' } });
  assert.is(node.status('one')?.err, 'this machine has no apt-get');
  apt.programs = ['apt-get'];
  clock.advance(5 * 60_000);
  assert.is(node.states().one, 'ok');
});

packages('the network away: every item waits, twice as long each time and at most an hour, and none in between', () => {
  const { apply, apt, node, clock } = stage();
  apply({ one: {} });
  apt.offline = true;
  assert.is(apply({ one: {}, two: {} }).errors?.length, 1);
  assert.equal(node.states(), { one: 'ok', two: 'waiting' });
  assert.match(node.status('two')?.err ?? '', 'cannot be fetched: W: Failed to fetch');
  const waits: number[] = [];
  for (let round = 0; round < 12; round++) {
    const wait = (node.status('two')?.next_ms ?? 0) - clock.wall();
    waits.push(wait);
    const before = apt.commands.length;
    clock.advance(wait - 1);
    assert.is(apt.commands.length, before, `round ${round}`);
    clock.advance(1_000);
    assert.ok(apt.commands.length > before, `round ${round}`);
  }
  assert.ok(waits.every(wait => wait <= 3_600_000));
  assert.ok((waits[0] ?? 0) > 20_000 && (waits[0] ?? 0) <= 45_000, `${waits}`);
  assert.ok((waits[3] ?? 0) > 200_000 && (waits[3] ?? 0) <= 360_000, `${waits}`);
  assert.ok((waits.at(-1) ?? 0) > 3_590_000, `${waits}`);
  apt.offline = false;
  clock.advance(3_600_000);
  assert.equal(node.states(), { one: 'ok', two: 'ok' });
});

packages('another document is tried at once, whatever failed before', () => {
  const { apply, apt, node } = stage(machine => {
    machine.offline = true;
  });
  apply({ one: {} });
  apt.offline = false;
  assert.equal(apply({ one: {}, two: {} }).errors, []);
  assert.equal(node.states(), { one: 'ok', two: 'ok' });
});

packages('a lock is waited for and told of, and given up for a while after half an hour', () => {
  const { apply, apt, node, clock } = stage(machine => {
    machine.locked = true;
  });
  const got = apply({ one: {} });
  assert.equal(node.status('one')?.doing, 'waiting for another apt-get (pid 77)');
  assert.is(node.states().one, 'waiting');
  assert.equal(got, {});
  for (let s = 0; s < 31 * 60 && !got.errors; s++) clock.advance(1_000);
  assert.is(got.errors?.length, 1);
  assert.is(node.status('one')?.err, 'another apt-get (pid 77) is at work');
  apt.locked = false;
  clock.advance(60_000);
  assert.is(node.states().one, 'ok');
});

packages('while it waits or downloads another document takes over; the machine follows the last one only', () => {
  const { apply, apt, node, clock } = stage(machine => {
    machine.locked = true;
  });
  apply({ one: {} }, 20_000);
  node.apply({ two: {} });
  apt.locked = false;
  clock.advance(60_000);
  assert.equal([...apt.installed.keys()], ['two']);
  assert.equal(node.states(), { two: 'ok' });
  // What was given up was not done first and undone then.
  assert.not.ok(
    apt.commands.some(text => /Status-Fd=3 install -- one$/.test(text)),
    apt.commands.join('\n'),
  );
});

packages('the same document again does not begin anew what is under way, and its step ends with it', () => {
  const { apply, apt, node, clock } = stage(machine => {
    machine.locked = true;
  });
  apply({ one: {} }, 20_000);
  const before = apt.commands.filter(text => text.startsWith('apt-cache')).length;
  const got = apply({ one: {} });
  assert.is(node.states().one, 'waiting');
  assert.equal(got, {});
  apt.locked = false;
  clock.advance(10_000);
  assert.equal(got, { steps: 1, errors: [] });
  assert.is(apt.commands.filter(text => text.startsWith('apt-cache')).length, before);
});

packages.run();
