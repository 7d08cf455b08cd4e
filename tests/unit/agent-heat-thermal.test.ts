/** How much heat a processor's temperature allows, with a sensor, without one, and with one that goes away. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { coolThermal, isBlind, type Thermal, thermal } from '../../node-agent/heat/thermal.ts';

const temperature = suite('temperature of a node that heats');

temperature('proportionally less from the limit on, nothing 8 above, back only below', () => {
  assert.is(thermal(coolThermal, 80, 80, 1).share, 1);
  assert.is(thermal(coolThermal, 84, 80, 1).share, 0.5);
  const off = thermal(coolThermal, 88, 80, 1);
  assert.equal([off.share, off.off], [0, true]);
  assert.equal(thermal(off, 79, 80, 1), off);
  assert.ok(thermal(off, undefined, 80, 1).off);
  assert.ok(thermal(off, Number.NaN, 80, 1).off);
  const back = thermal(off, 76, 80, 1);
  assert.not.ok(back.off);
  assert.ok(back.share > 0 && back.share <= 0.1);
  assert.equal(thermal(coolThermal, undefined, 80, 1), coolThermal);
});

const seconds = (before: Thermal, count: number, tempC?: number): Thermal => {
  let now = before;
  for (let at = 0; at < count; at++) now = thermal(now, tempC, 80, 1);
  return now;
};

temperature('a sensor that was there and shows nothing any more is not taken for a cool one', () => {
  assert.is(seconds(coolThermal, 1000).share, 1, 'a machine that never had one does as it is told');
  const seen = seconds(coolThermal, 5, 60);
  assert.is(seconds(seen, 85).share, 1, 'for a moment what was allowed holds');
  const blind = seconds(seen, 90);
  assert.ok(isBlind(blind));
  assert.is(blind.share, 0);
  assert.is(seconds(blind, 1000).share, 0);
  assert.not.ok(isBlind(seconds(blind, 1, 60)));
  assert.is(seconds(blind, 30, 60).share, 1, 'it goes on with the first reading');
});

temperature.run();
