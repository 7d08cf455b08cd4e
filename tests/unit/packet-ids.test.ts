import * as assert from 'node:assert/strict';
import { suite as describe } from 'uvu';
import { PacketIds } from '../../broker/mqtt/packet-ids.ts';

const suite = describe('packet ids in use');

suite('as a set would have it, from the first id to the last', () => {
  const [ids, model] = [new PacketIds(), new Set<number>()];
  assert.equal(ids.delete(1), false);
  assert.equal(ids.has(65_535), false);
  // Neighbours of the ends of words, over and over, in an order that comes back to each in another state.
  const tried = [1, 2, 30, 31, 32, 33, 63, 64, 255, 256, 32_767, 32_768, 65_503, 65_504, 65_534, 65_535];
  for (let step = 0; step < 4000; step++) {
    const id = tried[(step * step + 7 * step) % tried.length] as number;
    if (step % 3 === 0) assert.equal(ids.delete(id), model.delete(id), `step ${step}`);
    else if (!ids.has(id)) {
      ids.add(id);
      model.add(id);
    }
    assert.equal(ids.size, model.size);
    for (const each of tried) assert.equal(ids.has(each), model.has(each), `${each} in step ${step}`);
  }
});

suite('every id at once, and none', () => {
  const ids = new PacketIds();
  for (let id = 1; id <= 65_535; id++) ids.add(id);
  assert.equal(ids.size, 65_535);
  assert.equal(ids.has(0), false);
  for (let id = 65_535; id > 0; id--) assert.ok(ids.delete(id), String(id));
  assert.equal(ids.size, 0);
});

suite.run();
