import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chunksOf } from '../../client/chunks.ts';
import { HearthError } from '../../client/errors.ts';
import type { Values } from '../../client/work.ts';

const test = suite('client: input in pieces');
const few = { tasks: 3, bytes: 1000, lingerMs: undefined };

async function all<V>(values: Values<V>, limits = few): Promise<V[][]> {
  const chunks: V[][] = [];
  for await (const chunk of chunksOf(values, limits)) chunks.push(chunk);
  return chunks;
}

test('by number', async () => {
  assert.equal(await all([1, 2, 3, 4, 5, 6, 7]), [[1, 2, 3], [4, 5, 6], [7]]);
  assert.equal(await all(new Set(['a'])), [['a']]);
  assert.equal(await all([]), []);
});

test('by bytes of their JSON', async () => {
  const text = 'x'.repeat(398);
  assert.equal(
    (await all([text, text, text])).map(chunk => chunk.length),
    [2, 1],
  );
  const wide = 'é'.repeat(398);
  assert.equal(
    (await all([wide, wide])).map(chunk => chunk.length),
    [1, 1],
  );
});

test('an endless input is pulled only for the piece that is asked for, and told when nobody wants more', async () => {
  let pulled = 0;
  let told = false;
  async function* endless() {
    try {
      for (;;) yield pulled++;
    } finally {
      told = true;
    }
  }
  const chunks = chunksOf(endless(), few);
  assert.equal((await chunks.next()).value, [0, 1, 2]);
  assert.is(pulled, 3);
  await chunks.return();
  await new Promise(setImmediate);
  assert.ok(told);
});

test('what is there goes out while the rest is slow', async () => {
  let goOn = () => {};
  async function* slow() {
    yield 1;
    yield 2;
    await new Promise<void>(resolve => {
      goOn = resolve;
    });
    yield 3;
  }
  const chunks = chunksOf(slow(), { ...few, lingerMs: 1 });
  assert.equal((await chunks.next()).value, [1, 2]);
  goOn();
  assert.equal((await chunks.next()).value, [3]);
  assert.ok((await chunks.next()).done);
});

test('what is no JSON, or too large for one task, is named', async () => {
  const refused = async (values: unknown[], words: RegExp) => {
    try {
      await all(values);
      assert.unreachable('it was taken');
    } catch (error) {
      assert.instance(error, HearthError);
      assert.is((error as HearthError).code, 'input');
      assert.match((error as Error).message, words);
    }
  };
  await refused([1, () => 1], /^Value 1 /);
  await refused([1, undefined], /^Value 1 /);
  await refused(['x'.repeat(65 * 1024)], /^Value 0 .* 66562 bytes/);
});

test.run();
