/** Ids of jobs that are gone: how long, and how many of them, are remembered. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { idOfKey, rememberOps } from '../../broker/jobs/core/records.ts';
import { Remembering, remembering } from '../../broker/jobs/remembering.ts';
import { createMemoryStore } from '../../broker/store/memory.ts';
import { silentLog } from '../../shared/log.ts';
import { manualClock } from '../fixture/manual-clock.ts';

const test = suite('jobs: ids that are remembered');
const day = 86_400_000;

function world(most?: number) {
  const clock = manualClock();
  const store = createMemoryStore({ later: run => run() });
  const gone = (id: string, daysAgo: number) => {
    const record = { hash: 'h', state: 'succeeded', at: clock.wall() - daysAgo * day } as const;
    store.write(rememberOps(id, record), error => assert.not(error));
  };
  const idsBelow = (prefix: string) =>
    [...store.disk.keys()]
      .filter(key => key.startsWith(prefix))
      .map(idOfKey)
      .sort();
  const left = (): string[] => {
    assert.equal(idsBelow('jobid/'), idsBelow('jobday/'), 'both kinds of key go together');
    return idsBelow('jobid/');
  };
  const remembers = new Remembering({ store, clock, log: silentLog, ...(most === undefined ? {} : { most }) });
  return { clock, store, gone, left, remembers };
}

test('for 30 days, and looked at every hour', () => {
  const { clock, gone, left, remembers } = world();
  gone('old', 32);
  gone('young', 29);
  remembers.start();
  assert.equal(left(), ['young']);
  clock.advance(2 * day);
  assert.equal(left(), []);
  gone('late', 32);
  remembers.stop();
  clock.advance(day);
  assert.equal(left(), ['late'], 'stopped');
});

test('of too many the oldest days go first, whatever their ids', () => {
  const { clock, gone, left, remembers } = world(3);
  gone('a', 1);
  gone('z', 9);
  gone('m', 5);
  gone('b', 7);
  remembers.start();
  assert.equal(left(), ['a', 'b', 'm']);
  gone('c', 0);
  remembers.added('c');
  gone('d', 0);
  remembers.added('d');
  clock.advance(remembering.everyMs);
  assert.equal(left(), ['a', 'c', 'd']);
});

test('counted and forgotten in pages', () => {
  const { gone, left, remembers } = world(2);
  const many = 2 * remembering.page + 5;
  const name = (n: number) => String(n).padStart(6, '0');
  for (let n = 0; n < many; n++) gone(name(n), 1);
  remembers.start();
  assert.equal(left(), [name(many - 2), name(many - 1)]);
});

test('a disk that refuses is asked again in an hour', () => {
  const { clock, store, gone, left, remembers } = world();
  gone('old', 40);
  store.failWrites(new Error('no space left'));
  remembers.start();
  store.failWrites(undefined);
  assert.equal(left(), ['old']);
  clock.advance(remembering.everyMs);
  assert.equal(left(), []);
});

test('what is certainly new is known without the disk: once all are read, as long as they are not too many', () => {
  const { clock, gone, remembers } = world();
  gone('old', 29);
  gone('young', 1);
  assert.not.ok(remembers.isNew('other'), 'nothing is read yet');
  remembers.start();
  assert.ok(remembers.isNew('other'));
  assert.not.ok(remembers.isNew('old'));
  remembers.added('other');
  assert.not.ok(remembers.isNew('other'));
  clock.advance(3 * day);
  assert.ok(remembers.isNew('old'), 'forgotten');
  assert.not.ok(remembers.isNew('young'));
  for (let n = 0; n <= remembering.inMemory; n++) remembers.added(`n${n}`);
  assert.not.ok(remembers.isNew('another'), 'too many: the disk knows');
});

test.run();
