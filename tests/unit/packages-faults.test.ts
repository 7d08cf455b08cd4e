/** The agent killed, or the power cut, at every single effect: the next agent makes it what it was to be, and no more. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { manualClock } from '../fixture/manual-clock.ts';
import { memoryLedger, PackageRig, type WantedPackages } from '../fixture/packages/packages-rig.ts';
import { ToyApt } from '../fixture/packages/toy-apt.ts';

const faults = suite('packages: faults');

const documents: readonly WantedPackages[] = [
  { one: { version: '1' }, two: { hold: true }, mine: { hold: true } },
  { one: { version: '2', hold: true }, two: {}, three: {}, theirs: { state: 'installed' } },
  { two: { version: '1' }, three: { state: 'absent' } },
  {},
];

function toy(): ToyApt {
  const apt = new ToyApt();
  for (const name of ['one', 'two', 'three']) apt.repository.set(name, ['2', '1']);
  apt.installed.set('mine', { ver: '7' });
  apt.installed.set('theirs', { ver: '8' });
  apt.held.add('theirs');
  return apt;
}

/** All documents one after the other, with a fault; a new agent takes over where one died. @returns effects of the whole. */
function story(at: number, how: 'kill' | 'late' | 'power'): { effects: number; apt: ToyApt; left: number } {
  const clock = manualClock();
  const apt = toy();
  apt.fault = { at, how };
  const ledger = memoryLedger();
  let node: PackageRig | undefined;
  const agent = () => {
    node?.close();
    node = new PackageRig({ machine: apt.machine(clock), disk: apt.disk(ledger), clock });
    node.start();
    return node;
  };
  let now = agent();
  for (const wanted of documents) {
    const before = apt.effects < at;
    now.apply(wanted);
    clock.advance(5_000);
    if (before && apt.effects >= at) {
      now = agent();
      now.apply(wanted);
      clock.advance(5_000);
    }
    for (const [item, state] of Object.entries(now.states())) {
      assert.is(
        state,
        'ok',
        `${how} at ${at}: ${item} ${JSON.stringify(now.status(item))}\n${apt.commands.join('\n')}`,
      );
    }
    for (const [item, { version, hold, state }] of Object.entries(wanted)) {
      const is = apt.installed.get(item);
      assert.is(is === undefined, state === 'absent', `${how} at ${at}: ${item}`);
      assert.not.ok(is?.broken, `${how} at ${at}: ${item} is half installed`);
      if (version !== undefined) assert.is(is?.ver, version, `${how} at ${at}: ${item}`);
      if (item !== 'theirs') assert.is(apt.held.has(item), hold === true, `${how} at ${at}: hold of ${item}`);
    }
  }
  const left = clock.pending;
  node?.close();
  assert.equal([...apt.installed], [...toy().installed], `${how} at ${at}`);
  assert.equal([...apt.held], ['theirs'], `${how} at ${at}`);
  assert.equal(ledger.ledger, { packages: {}, settled: {} }, `${how} at ${at}`);
  return { effects: apt.effects, apt, left };
}

faults('without a fault: one transaction a document, and nothing is left over', () => {
  const { effects, apt, left } = story(Number.POSITIVE_INFINITY, 'kill');
  assert.ok(effects > 15, `${effects} effects`);
  const installs = apt.commands.filter(text => / install /.test(text) && !/ -[sd] /.test(text));
  assert.is(installs.length, documents.length);
  assert.is(left, 0);
});

for (const how of ['kill', 'late', 'power'] as const) {
  faults(`${how} at every effect`, () => {
    const { effects } = story(Number.POSITIVE_INFINITY, how);
    for (let at = 1; at <= effects; at++) story(at, how);
  });
}

faults.run();
