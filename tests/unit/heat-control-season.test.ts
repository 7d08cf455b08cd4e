/** Two weeks of winter with controller and allocator, beside hysteresis: floors under the figures that the bench measures. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { Hearth } from '../heat/hearth.ts';
import { cabin, flat } from '../heat/house.ts';
import { season } from '../heat/season.ts';
import { Hysteresis } from '../heat/thermostats.ts';

const weeks = suite('two weeks of heating');

for (const [house, seed, days] of [
  [flat, 21, 15],
  [cabin, 22, 8],
] as const)
  weeks(`${house.name}: near the target, few starts, the watts that were asked for`, () => {
    let hearth: Hearth | undefined;
    const [ours, other] = season({ house, seed, fromDay: 90, days, skipDays: 1, stepS: 60 }, [
      of => {
        hearth = new Hearth(of);
        return hearth;
      },
      of => new Hysteresis(of),
    ]);
    assert.ok(ours && other);
    assert.equal(hearth?.doubted, 0, 'a good thermometer is believed');
    assert.ok(ours.feasible > 4, `${ours.feasible} feasible hours a day`);
    assert.ok(ours.occupiedError <= 0.12, `${ours.occupiedError} °C off`);
    assert.ok(ours.occupiedError <= other.occupiedError / 2, `${ours.occupiedError} and ${other.occupiedError} °C`);
    assert.ok(ours.within >= 0.95, `${ours.within} within 0.3 °C`);
    assert.ok(ours.mostStarts <= 4, `${ours.mostStarts} starts a day`);
    assert.ok(ours.deliveryError.p95 <= 0.05, `${ours.deliveryError.p95} off the demand`);
  });

weeks('the same seed is the same season', () => {
  const run = () =>
    season({ house: flat, seed: 5, fromDay: 90, days: 2, stepS: 60 }, [of => new Hearth(of)]).map(
      ({ rooms, kWh, starts }) => ({ rooms, kWh, starts }),
    );
  assert.deepEqual(run(), run());
});

weeks.run();
