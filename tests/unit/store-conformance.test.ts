/** The promises of the Store seam, kept by both stores. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLevelStore } from '../../broker/store/level.ts';
import { createMemoryStore, type MemoryDisk } from '../../broker/store/memory.ts';
import type { Store, StoreOp } from '../../shared/store.ts';
import { folder } from '../fixture/processes.ts';

const read = (store: Store, prefix = '') =>
  new Promise<readonly (readonly [string, string])[]>((resolve, reject) =>
    store.read(prefix, (error, entries) => (error ? reject(error) : resolve(entries))),
  );
const get = (store: Store, keys: readonly string[]) =>
  new Promise<readonly (string | undefined)[]>((resolve, reject) =>
    store.get(keys, (error, values) => (error ? reject(error) : resolve(values))),
  );
const readRange = (store: Store, from: string, to: string, limit: number) =>
  new Promise<readonly (readonly [string, string])[]>((resolve, reject) =>
    store.readRange(from, to, limit, (error, entries) => (error ? reject(error) : resolve(entries))),
  );
const write = (store: Store, ops: readonly StoreOp[]) =>
  new Promise<void>((resolve, reject) => store.write(ops, error => (error ? reject(error) : resolve())));
const close = (store: Store) => new Promise<void>(resolve => store.close(resolve));
const put = (key: string, value = key): StoreOp => ({ put: key, value });

/** Opens a new store, and opens the same one again. */
const kinds: Record<string, () => () => Promise<Store>> = {
  memory: () => {
    const disk: MemoryDisk = new Map();
    return () => Promise.resolve(createMemoryStore({ disk }));
  },
  level: () => {
    const place = join(folder(), 'journal');
    return () => openLevelStore(place);
  },
};

for (const [name, create] of Object.entries(kinds)) {
  const store = suite(`store: ${name}`);

  store('an empty one has nothing', async () => {
    const one = await create()();
    assert.equal(await read(one), []);
    await close(one);
  });

  store('entries come in key order, those of the prefix and no others', async () => {
    const one = await create()();
    const keys = ['doc/node/n2', 'doc/node/n1', 'doc/node/n10', 'doc/nodf', 'doc/nod', 'meta/rev', 'j/2', 'j/10'];
    await write(
      one,
      keys.map(key => put(key, `v ${key}`)),
    );
    assert.equal(
      await read(one, 'doc/node/'),
      ['doc/node/n1', 'doc/node/n10', 'doc/node/n2'].map(key => [key, `v ${key}`]),
    );
    assert.equal(
      (await read(one, 'j/')).map(([key]) => key),
      ['j/10', 'j/2'],
    );
    assert.is((await read(one)).length, keys.length);
    assert.equal(await read(one, 'nothing/'), []);
    await close(one);
  });

  store('values come in the order of their keys, and nothing where there is none', async () => {
    const one = await create()();
    await write(one, [put('a', '1'), put('b', ''), put('c', '3')]);
    assert.equal(await get(one, ['c', 'x', 'b', 'c']), ['3', undefined, '', '3']);
    assert.equal(await get(one, []), []);
    await close(one);
  });

  store('a range begins with its first key, ends before its last, and is cut at its limit', async () => {
    const one = await create()();
    await write(
      one,
      ['a', 'b', 'ba', 'c', 'd'].map(key => put(key)),
    );
    const keys = async (from: string, to: string, limit = 10) =>
      (await readRange(one, from, to, limit)).map(([key]) => key);
    assert.equal(await keys('b', 'd'), ['b', 'ba', 'c']);
    assert.equal(await keys('b', 'd', 2), ['b', 'ba']);
    assert.equal(await keys('bb', 'bc'), []);
    assert.equal(await keys('', 'z', 3), ['a', 'b', 'ba']);
    assert.equal(await readRange(one, 'a', 'b', 1), [['a', 'a']]);
    await close(one);
  });

  store(
    'a batch puts and deletes; the last word on a key counts, and deleting what is not there is nothing',
    async () => {
      const one = await create()();
      await write(one, [put('a', '1'), put('b', '1'), put('a', '2')]);
      await write(one, [{ del: 'b' }, { del: 'never' }, put('c', '3'), { del: 'c' }]);
      assert.equal(await read(one), [['a', '2']]);
      await write(one, []);
      assert.equal(await read(one), [['a', '2']]);
      await close(one);
    },
  );

  store('any text is kept as it is', async () => {
    const one = await create()();
    const texts = ['', 'ü€😀', '\n\0\u0001', '{"a":1}', 'x'.repeat(200_000)];
    await write(
      one,
      texts.map((text, index) => put(`k${index}`, text)),
    );
    assert.equal(
      (await read(one)).map(([, value]) => value),
      texts,
    );
    await close(one);
  });

  store('batches apply, and call back, in the order of their calls; the caller may change its array', async () => {
    const one = await create()();
    const order: number[] = [];
    const ops: StoreOp[] = [];
    for (let i = 0; i < 50; i++) {
      ops.length = 0;
      ops.push(put('same', String(i)), put(`k${i}`));
      one.write(ops, error => {
        assert.not.ok(error);
        order.push(i);
      });
    }
    ops.length = 0;
    await write(one, []);
    assert.equal(
      order,
      Array.from({ length: 50 }, (_, i) => i),
    );
    const all = await read(one);
    assert.is(all.length, 51);
    assert.equal(all.at(-1), ['same', '49']);
    await close(one);
  });

  store('no callback runs inside the call', async () => {
    const one = await create()();
    let inside = true;
    const wrote = new Promise<void>(resolve =>
      one.write([put('a')], () => {
        assert.not.ok(inside);
        resolve();
      }),
    );
    const was = new Promise<void>(resolve =>
      one.read('', () => {
        assert.not.ok(inside);
        resolve();
      }),
    );
    inside = false;
    await Promise.all([wrote, was]);
    await close(one);
  });

  store('what was synced is there when it is opened again; closing waits for batches under way', async () => {
    const open = create();
    const one = await open();
    let synced = 0;
    for (let i = 0; i < 20; i++) one.write([put(`k${i}`)], error => void (error ?? synced++));
    await close(one);
    assert.is(synced, 20);
    const again = await open();
    assert.is((await read(again)).length, 20);
    await close(again);
  });

  store('a closed one answers with an error', async () => {
    const one = await create()();
    await close(one);
    await read(one).then(
      () => assert.unreachable(),
      error => assert.instance(error, Error),
    );
    await get(one, ['a']).then(
      () => assert.unreachable(),
      error => assert.instance(error, Error),
    );
    await readRange(one, '', 'z', 1).then(
      () => assert.unreachable(),
      error => assert.instance(error, Error),
    );
    await write(one, [put('a')]).then(
      () => assert.unreachable(),
      error => assert.instance(error, Error),
    );
  });

  store.run();
}

const memory = suite('store: memory only');

memory('killed: what was not synced never happens, and nobody is called', () => {
  const queue: (() => void)[] = [];
  const disk: MemoryDisk = new Map();
  const one = createMemoryStore({ disk, later: run => void queue.push(run) });
  const called: string[] = [];
  one.write([put('a')], () => called.push('a'));
  queue.shift()?.();
  one.write([put('b')], () => called.push('b'));
  one.read('', () => called.push('read'));
  one.close(() => called.push('close'));
  one.kill();
  for (const run of queue) run();
  assert.equal(called, ['a']);
  assert.equal([...disk], [['a', 'a']]);
});

memory('a full disk: every write fails and changes nothing, until there is room again', async () => {
  const one = createMemoryStore();
  one.failWrites(new Error('ENOSPC'));
  await write(one, [put('a')]).then(
    () => assert.unreachable(),
    error => assert.is(error.message, 'ENOSPC'),
  );
  assert.equal(await read(one), []);
  one.failWrites(undefined);
  await write(one, [put('a')]);
  assert.is((await read(one)).length, 1);
});

memory.run();
