/** LevelDB as the journal: through `kill -9`, held by another process, damaged. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLevelStore } from '../../broker/store/level.ts';
import type { Store, StoreOp } from '../../shared/store.ts';
import { UserError } from '../../shared/user-error.ts';
import { folder, start } from '../fixture/processes.ts';

const read = (store: Store, prefix = '') =>
  new Promise<readonly (readonly [string, string])[]>((resolve, reject) =>
    store.read(prefix, (error, entries) => (error ? reject(error) : resolve(entries))),
  );
const write = (store: Store, ops: readonly StoreOp[]) =>
  new Promise<void>((resolve, reject) => store.write(ops, error => (error ? reject(error) : resolve())));
const close = (store: Store) => new Promise<void>(resolve => store.close(resolve));
const put = (key: string, value = key): StoreOp => ({ put: key, value });

const level = suite('store: level only');

/** The store as it was left, checked to be one that whole batches made. */
async function leftBehind(place: string): Promise<number> {
  const store = await openLevelStore(place);
  const entries = new Map(await read(store));
  await close(store);
  const last = Number(entries.get('last'));
  assert.is(Number(entries.get('first')), last, 'both ends of the last batch');
  for (let n = Math.max(0, last - 9); n <= last; n++) {
    const key = `n/${String(n).padStart(8, '0')}`;
    assert.is(entries.get(key)?.length, 1 + ((n * 37) % 3000), `${key} is whole`);
  }
  assert.is(entries.size, 2 + Math.min(last + 1, 10), 'and nothing that was removed');
  return last;
}

level('kill -9 at any moment: every batch that was called synced is there, and none in half', async () => {
  const place = join(folder(), 'journal');
  const script = join(import.meta.dirname, '../fixture/store-writer.ts');
  let from = 0;
  for (const killAfter of [1, 2, 17, 60, 151]) {
    const writer = start(process.execPath, ['--import', 'tsx', script, place, String(from)]);
    await writer.line(new RegExp(`synced ${from + killAfter}\\n`));
    writer.child.kill('SIGKILL');
    await writer.ended;
    const told = Math.max(...[...writer.output().matchAll(/synced (\d+)\n/g)].map(match => Number(match[1])));
    const kept = await leftBehind(place);
    assert.ok(kept >= told, `${told} was called synced, ${kept} is the last one there`);
    assert.ok(kept <= told + 2, 'no more than were under way');
    from = kept + 1;
  }
});

/** Asserts one sentence that can be shown as it is. */
const refused = (place: string, pattern: RegExp) =>
  openLevelStore(place).then(
    () => assert.unreachable('it opened'),
    (error: Error) => {
      assert.instance(error, UserError);
      assert.match(error.message, pattern);
      assert.not.match(error.message, /\n/);
      assert.ok(error.message.includes(place), error.message);
    },
  );

level('a folder that another process holds is refused in one sentence, and free when that one was killed', async () => {
  const place = join(folder(), 'journal');
  const script = join(import.meta.dirname, '../fixture/store-writer.ts');
  const holder = start(process.execPath, ['--import', 'tsx', script, place]);
  await holder.line(/synced 3\n/);
  await refused(place, /^another supervisor is using this data folder \(.*\): stop it, or choose another with --data$/);
  holder.child.kill('SIGKILL');
  await holder.ended;
  await close(await openLevelStore(place));
});

level('the same process cannot open it twice either', async () => {
  const place = join(folder(), 'journal');
  const first = await openLevelStore(place);
  await refused(place, /another supervisor is using/);
  await close(first);
});

level('a damaged one, and a folder that cannot be made, are refused in one sentence', async () => {
  const place = join(folder(), 'journal');
  const store = await openLevelStore(place);
  await write(store, [put('a')]);
  await close(store);
  writeFileSync(join(place, 'CURRENT'), 'MANIFEST-999999\n');
  await refused(place, /the journal in .* (is damaged|cannot be opened)/);
  const file = join(folder(), 'file');
  writeFileSync(file, '');
  await refused(join(file, 'journal'), /cannot be opened: /);
});

level.run();
