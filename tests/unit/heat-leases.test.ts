import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Leases, orderFor } from '../../broker/heat/leases.ts';

const test = suite('heat: leases');

test('heat is said at once, again every 15 s, and when it is another; to a new session at once', () => {
  const leases = new Leases();
  const order = (cores: number) => orderFor(cores, {}, {});
  assert.ok(leases.due('n1', 'a/1', order(1.5), 0));
  assert.not(leases.due('n1', 'a/1', order(1.5), 10_000));
  assert.not(leases.due('n1', 'a/1', order(1.51), 10_000), 'no news');
  assert.ok(leases.due('n1', 'a/1', order(1.6), 10_000));
  assert.not(leases.due('n1', 'a/1', order(1.6), 20_000));
  assert.ok(leases.due('n1', 'a/1', order(1.6), 25_000), 'a lease of 45 s');
  assert.ok(leases.due('n1', 'a/2', order(1.6), 26_000));
  assert.ok(leases.due('n1', 'a/2', orderFor(1.6, { max_temp_c: 70 }, {}), 27_000));
});

test('no heat is said once to whom some was asked of, and to nobody else', () => {
  const leases = new Leases();
  const order = (cores: number) => orderFor(cores, {}, {});
  assert.not(leases.due('n1', 'a/1', order(0), 0));
  leases.due('n1', 'a/1', order(1), 1);
  assert.ok(leases.due('n1', 'a/1', order(0), 2));
  assert.not(leases.due('n1', 'a/1', order(0), 30_000));
  assert.not(leases.due('n1', 'a/2', order(0), 40_000), 'its lease is over by itself');
});

test('a node hears in every session of a service that is its filler, also while nobody asks for heat; and when it is none any more', () => {
  const leases = new Leases();
  const filled = (cores: number) => orderFor(cores, {}, { filler: { service: 'fah' } });
  assert.is(filled(0).filler, '{"service":"fah"}');
  assert.is(orderFor(0, {}, { filler: { run: 'x' } }).filler, undefined, 'a command that is not run is nobody');
  assert.ok(leases.due('n1', 'a/1', filled(0), 0));
  assert.not(leases.due('n1', 'a/1', filled(0), 100_000));
  assert.ok(leases.due('n1', 'a/2', filled(0), 100_001));
  assert.ok(leases.due('n1', 'a/2', orderFor(0, {}, {}), 100_002));
  assert.not(leases.due('n1', 'a/2', orderFor(0, {}, {}), 200_000));
});

test('leases of a supervisor before: who is out of reach may hold them for a minute, and is told at once where nothing is asked', () => {
  const leases = new Leases();
  leases.resume({ n1: { on: true, cores: 2 }, n2: { on: false, cores: 2 }, n3: { on: true, cores: 0 } }, 1000);
  const labels: Record<string, string> = { room: 'attic' };
  const machines = (online: boolean) => ['n1', 'n2', 'n3'].map(node => ({ node, online, labels }));
  const heldW = (online: boolean, now: number) => [...leases.heldW(machines(online), (_, cores) => 20 * cores, now)];
  assert.equal(heldW(false, 2000), [['attic', 40]]);
  assert.equal(heldW(true, 2000), [], 'what is in reach says itself what it draws');
  assert.equal(heldW(false, 61_000), []);
  assert.ok(leases.due('n1', 'a/1', orderFor(0, {}, {}), 2000));
  assert.not(leases.due('n2', 'a/1', orderFor(0, {}, {}), 2000));
  assert.equal(heldW(false, 2000), []);
});

test.run();
