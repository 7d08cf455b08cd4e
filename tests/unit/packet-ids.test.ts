import * as assert from 'node:assert/strict';
import { suite as describe } from 'uvu';
import { PacketIds } from '../../broker/mqtt/packet-ids.ts';
import { seededRandom } from '../fixture/manual-clock.ts';

const suite = describe('packet ids in use');

/** Neighbours of the ends of words. */
const ends = [1, 2, 30, 31, 32, 33, 63, 64, 255, 256, 32_767, 32_768, 65_503, 65_504, 65_534, 65_535];

/** Few at a time, many, and few again. */
for (const tried of [ends, ends.flatMap(id => [id, (id * 7 + 4) % 65_536 || 3])]) {
  suite(`as a set would have it: ${tried.length} ids, over and over`, () => {
    const random = seededRandom(tried.length);
    const [ids, model] = [new PacketIds(), new Set<number>()];
    assert.equal(ids.delete(1), false);
    assert.equal(ids.has(65_535), false);
    let most = 0;
    for (let step = 0; step < 6000; step++) {
      const id = tried[Math.floor(random.next() * tried.length)] as number;
      // Mostly taken, mostly given back, and so on.
      if (random.next() < (step % 600 < 300 ? 0.2 : 0.8))
        assert.equal(ids.delete(id), model.delete(id), `step ${step}`);
      else if (!model.has(id)) {
        ids.add(id);
        model.add(id);
      }
      most = Math.max(most, model.size);
      assert.equal(ids.size, model.size);
      for (const each of tried) assert.equal(ids.has(each), model.has(each), `${each} in step ${step}`);
    }
    assert.ok(most > tried.length * 0.7, `${most} at once`);
  });
}

suite('every id at once, and none', () => {
  const ids = new PacketIds();
  for (let id = 1; id <= 65_535; id++) ids.add(id);
  assert.equal(ids.size, 65_535);
  assert.equal(ids.has(0), false);
  for (let id = 65_535; id > 0; id--) assert.ok(ids.delete(id), String(id));
  assert.equal(ids.size, 0);
});

suite.run();
