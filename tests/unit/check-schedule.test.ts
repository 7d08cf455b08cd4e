/** When checks are looked at: spread, bounded, and whatever hangs. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fail, pass } from '../../node-agent/checks/finding.ts';
import type { Check } from '../../shared/schemas/check.ts';
import { Checked, doing } from '../fixture/check-table.ts';
import { startOfTest } from '../fixture/manual-clock.ts';

const table = suite('checks: when');

table('without checks there is no timer, no look and nothing told', () => {
  const node = new Checked();
  node.table.set({});
  node.clock.advance(86_400_000);
  assert.is(node.clock.pending, 0);
  assert.is(node.looks.length, 0);
  assert.is(node.told.length, 0);
  assert.equal(node.table.items(), {});
});

table(
  'a check is unknown until it was looked at, within ten seconds, and then every period, give or take a tenth',
  () => {
    const node = new Checked();
    node.answer = () => pass('fine');
    node.table.set({ a: doing('a', { every_s: 60 }) });
    assert.equal(node.table.items()['checks/a'], {
      state: 'unknown',
      severity: 'warning',
      saw: 'not looked at yet',
      since_ms: startOfTest + 1000,
    });
    node.clock.advance(10_000);
    assert.is(node.looks.length, 1);
    assert.is(node.table.items()['checks/a']?.state, 'pass');
    node.clock.advance(3600_000);
    const gaps = node.looks.slice(1).map((look, index) => look.at - (node.looks[index]?.at ?? 0));
    for (const gap of gaps) assert.ok(gap >= 54_000 && gap <= 66_000, String(gap));
    assert.ok(Math.max(...gaps) - Math.min(...gaps) > 5000, 'spread by chance');
  },
);

table('many new checks are not looked at all at once, and never more than four at a time', () => {
  const node = new Checked();
  node.table.set(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`c${i}`, doing(`c${i}`)])));
  assert.is(node.open.length, 0, 'none at the very start');
  node.clock.advance(9000);
  assert.is(node.open.length, 4);
  for (let left = 40; left > 0; left--) {
    node.open[0]?.found(pass(''));
    assert.ok(node.open.length <= 4);
    node.clock.advance(100);
  }
  node.clock.advance(1000);
  assert.is(new Set(node.looks.map(({ check }) => JSON.stringify(check))).size, 40, 'every one came to its turn');
});

table('a look that takes longer than its period is not joined by a second one', () => {
  const node = new Checked();
  node.table.set({ a: doing('a', { every_s: 5, timeout_s: 60 }) });
  node.clock.advance(50_000);
  assert.is(node.looks.length, 1);
  node.open[0]?.found(pass('late'));
  node.clock.advance(7000);
  assert.is(node.looks.length, 2);
});

table('at its timeout a look is told to end; what it then finds counts', () => {
  const node = new Checked();
  node.table.set({ a: doing('a', { timeout_s: 3 }) });
  node.clock.advance(10_000);
  const [look] = node.looks;
  assert.ok(look?.signal.aborted);
  const early = new Checked();
  early.table.set({ a: doing('a', { timeout_s: 600 }) });
  early.clock.advance(10_000);
  assert.not.ok(early.looks[0]?.signal.aborted);
});

table('a look that does not end when told leaves the check unknown, keeps no place, and is waited for', () => {
  const node = new Checked();
  const hung = Array.from({ length: 4 }, (_, i) => `h${i}`);
  node.table.set(Object.fromEntries(hung.map(name => [name, doing(name, { timeout_s: 3, every_s: 60 })])));
  node.clock.advance(20_000);
  assert.is(node.open.length, 4);
  assert.is(node.table.items()['checks/h0']?.state, 'unknown');
  assert.is(node.table.items()['checks/h0']?.saw, 'no result in 3 s');
  node.table.set(Object.fromEntries([...hung, 'other'].map(name => [name, doing(name, { timeout_s: 3 })])));
  node.clock.advance(10_000);
  const other = node.looks.find(({ check }) => JSON.stringify(check).includes('other'));
  assert.ok(other, 'four that hang hold up nobody else');
  node.clock.advance(200_000);
  assert.is(node.looks.filter(({ check }) => JSON.stringify(check).includes('h0')).length, 1, 'never a second one');
  assert.is(node.table.items()['checks/h0']?.saw, 'the last look has not come to an end yet');
  node.looks[0]?.found(pass('at last'));
  const name = /h\d/.exec(JSON.stringify(node.looks[0]?.check))?.[0];
  assert.is.not(node.table.items()[`checks/${name}`]?.saw, 'at last', 'what came so late is not believed');
  node.clock.advance(66_000);
  assert.is(node.looks.filter(({ check }) => check === node.looks[0]?.check).length + 0 >= 1, true);
  assert.ok(
    node.looks.filter(({ check }) => JSON.stringify(check).includes(name ?? '?')).length >= 2,
    'looked at again',
  );
});

table(
  'file systems and names that hang keep two threads at most, and the others say that they were not looked at',
  () => {
    const node = new Checked();
    const disk = (path: string): Check => ({ disk: { path, max_pct: 90 }, timeout_s: 3, every_s: 30 });
    const checks: Record<string, Check> = {
      ...Object.fromEntries(['/a', '/b', '/c', '/d'].map(path => [path.slice(1), disk(path)])),
      named: { port: { port: 1, host: 'example.org' }, timeout_s: 3, every_s: 30 },
      page: { http: { url: 'https://example.org/' }, timeout_s: 3, every_s: 30 },
      file: { file: { path: '/x' }, timeout_s: 3, every_s: 30 },
    };
    node.table.set(checks);
    node.clock.advance(12_000);
    assert.is(node.open.length, 2);
    node.clock.advance(60_000);
    assert.is(node.open.length, 2);
    assert.is(Object.values(node.states()).filter(state => state === 'unknown').length, 7);
    const said = Object.values(node.table.items()).map(({ saw }) => saw);
    assert.is(said.filter(saw => saw === 'not looked at: other looks at file systems or names hang').length, 5);
    node.table.set({
      ...checks,
      literal: { port: { port: 1, host: '10.0.0.1' } },
      six: { http: { url: 'http://[::1]/' } },
    });
    node.clock.advance(10_000);
    assert.is(node.open.length, 4, 'addresses need no thread');
  },
);

table('another assertion starts anew; what the look of the old one finds is of no interest', () => {
  const node = new Checked();
  node.table.set({ a: doing('old') });
  node.clock.advance(10_000);
  const [old] = node.looks;
  node.table.set({ a: doing('new') });
  assert.ok(old?.signal.aborted);
  node.clock.advance(10_500);
  assert.is(node.looks.length, 1, 'not before the old one is gone');
  old?.found(fail('of the old one'));
  assert.is(node.table.items()['checks/a']?.state, 'unknown');
  node.clock.advance(10_000);
  assert.equal(node.looks[1]?.check, doing('new'));
  node.table.set({});
  assert.equal(node.table.items(), {});
  assert.ok(node.looks[1]?.signal.aborted);
  node.looks[1]?.found(fail('late'));
  node.clock.advance(3_600_000);
  assert.is(node.looks.length, 2);
  assert.is(node.clock.pending, 0, 'nothing is left of it');
});

table('close ends every look, tells who waits, and nothing comes after it', () => {
  const node = new Checked();
  node.table.set({ a: doing('a') });
  const answers: unknown[] = [];
  node.table.run('a', error => answers.push(error));
  node.told.splice(0);
  node.table.close();
  assert.equal(answers, ['the agent ends']);
  assert.ok(node.looks[0]?.signal.aborted);
  node.looks[0]?.found(fail(''));
  node.clock.advance(3_600_000);
  assert.is(node.told.length, 0);
  assert.is(node.clock.pending, 0);
  assert.is(node.looks.length, 1);
});

table('a machine that slept looks at everything again, four at a time', () => {
  const node = new Checked();
  node.answer = () => pass('');
  node.table.set(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`c${i}`, doing(`c${i}`)])));
  node.clock.advance(10_000);
  node.answer = undefined;
  node.clock.stall(8 * 3_600_000);
  node.clock.advance(1);
  assert.is(node.open.length, 4);
});

table('whatever happens: at most four, one of each, no state without a look, and it never stops', () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
    fc.record({ do: fc.constant('answer' as const), index: fc.nat(6), good: fc.boolean() }),
    fc.record({ do: fc.constant('set' as const), names: fc.uniqueArray(fc.constantFrom(...'abcdefgh')) }),
    fc.record({ do: fc.constant('run' as const), name: fc.constantFrom(...'abcdefgh') }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), fc.nat(1000), (actions, seed) => {
      const node = new Checked(seed);
      let asked = 0;
      let answered = 0;
      for (const one of actions) {
        if (one.do === 'advance') node.clock.advance(one.ms);
        else if (one.do === 'answer') node.open[one.index]?.found(one.good ? pass('') : fail(''));
        else if (one.do === 'set') {
          node.table.set(Object.fromEntries(one.names.map(name => [name, doing(name, { every_s: 5, timeout_s: 5 })])));
        } else {
          asked++;
          node.table.run(one.name, () => answered++);
        }
        const live = node.open.filter(({ at }) => node.clock.now() < at + 7000);
        assert.ok(live.length <= 4);
        const open = node.open.map(({ check }) => JSON.stringify(check));
        assert.is(new Set(open).size, open.length, 'no check twice');
      }
      node.answer = () => pass('at the end');
      for (const look of node.open) look.found(pass(''));
      node.clock.advance(30_000);
      for (const item of Object.values(node.table.items())) assert.is(item.saw, 'at the end');
      assert.is(answered, asked);
      node.table.close();
      assert.is(node.clock.pending, 0);
    }),
    { numRuns: 200 },
  );
});

table.run();
