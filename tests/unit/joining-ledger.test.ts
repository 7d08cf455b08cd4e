/** The ledger of joining: grouped, told when synced, taken back when not, and damaged entries never guessed at. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createMemoryStore } from '../../broker/store/memory.ts';
import { Ledger } from '../../broker/trust/joining/ledger.ts';
import type { RuleRecord } from '../../broker/trust/joining/records.ts';
import type { Store, StoreOp } from '../../shared/store.ts';
import { UserError } from '../../shared/user-error.ts';

const test = suite('joining: ledger');

const rule = (number: number): RuleRecord => ({ rule: number, approve: true, arch: 'x64', by: 'ann', created_ms: 1 });
const put = (number: number) => ({ kind: 'rule' as const, id: String(number), record: rule(number) });
const gone = (number: number) => ({ kind: 'rule' as const, id: String(number), record: undefined });

/** A store whose writes end when the test says so, and how it says. */
function slowStore(disk = new Map<string, string>()) {
  const inner = createMemoryStore({ disk });
  const waiting: { readonly ops: readonly StoreOp[]; readonly done: (error?: Error) => void }[] = [];
  const store: Store = { ...inner, write: (ops, done) => void waiting.push({ ops, done }) };
  const end = (how: 'synced' | 'failed' | 'failed but there') =>
    new Promise<void>(resolve => {
      const [next] = waiting.splice(0, 1);
      if (!next) throw new Error('nothing is being written');
      const { ops, done } = next;
      const settle = () => {
        done(how === 'synced' ? undefined : new Error('EIO'));
        setImmediate(resolve);
      };
      if (how === 'failed') settle();
      else inner.write(ops, settle);
    });
  return { store, disk, waiting, end };
}

test('what comes while a batch is written is one batch, and each is told after its own', async () => {
  const { store, disk, waiting, end } = slowStore();
  const ledger = await Ledger.load(store);
  const told: number[] = [];
  for (const number of [1, 2, 3, 4]) ledger.write(put(number)).then(() => told.push(number));
  assert.is(ledger.rules.size, 4, 'it counts at once');
  assert.is(waiting.length, 1);
  await end('synced');
  assert.equal(told, [1]);
  assert.is(waiting[0]?.ops.length, 3);
  await end('synced');
  assert.equal(told, [1, 2, 3, 4]);
  assert.is(disk.size, 4);
});

test('a batch that fails is taken back with what was built on it, and what it left on the disk is mended', async () => {
  const { store, disk, end } = slowStore();
  const ledger = await Ledger.load(store);
  const first = ledger.write(put(1));
  await end('synced');
  await first;
  const seen: string[] = [];
  ledger.onChange(({ id, record }, before) => seen.push(`${id} ${before ? 'was' : 'new'} ${record ? 'is' : 'gone'}`));
  const lost = [ledger.write(gone(1), put(2)), ledger.write(put(3))].map(written =>
    written.then(
      () => 'written',
      error => (error instanceof UserError ? error.message : 'a defect'),
    ),
  );
  await end('failed but there');
  for (const sentence of await Promise.all(lost)) assert.match(sentence, /^Nothing was changed.*EIO\.$/);
  assert.equal([...ledger.rules.keys()], ['1']);
  assert.equal(seen.slice(-3), ['1 new is', '2 was gone', '3 was gone']);
  assert.equal([...disk.keys()], ['trust/rule/2'], 'as LevelDB may leave it');
  const next = ledger.write(put(4));
  await end('synced');
  await next;
  assert.equal([...disk.keys()].sort(), ['trust/rule/1', 'trust/rule/4']);
});

test('an entry that cannot be read stops the start with a sentence', async () => {
  for (const text of ['', '{', '{}', '{"rule":0}', JSON.stringify({ ...rule(1), approve: 'yes' })]) {
    const { store } = slowStore(new Map([['trust/rule/1', text]]));
    const error = await Ledger.load(store).catch(error => error);
    assert.instance(error, UserError);
    assert.match(error.message, /trust\/rule\/1 cannot be read .*: restore the data folder from a backup\.$/);
  }
});

test.run();
