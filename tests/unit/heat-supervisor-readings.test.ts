/** Readings of thermometers and plugs that documents name, where they are late, absurd, of another source, or not understood. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { burning, isOf, statusOf, type Warm, warm } from '../fixture/heated-room.ts';

const heat = suite('heat: supervisor, readings');

const events = ({ one }: Warm): string[] =>
  one.broker.published.filter(({ topic }) => topic === 'hearth/event').map(({ text }) => text);

heat('the weather of an hour ago does not take the place of the weather now, whichever way it comes', () => {
  const all = burning();
  const { one, pass } = all;
  one.ask('room/attic/set/outdoor', 'weather/now');
  const said = (temperature: number, agoMs: number) =>
    one.person.publish('weather/now', JSON.stringify({ temperature, last_seen: one.clock.wall() - agoMs }));
  said(5, 0);
  said(-20, 3_600_000);
  pass(20, 20);
  assert.is(isOf(one).outdoor_c, 5);
  one.person.publish('hearth/room/attic/in/outdoor_c', '7');
  pass(20, 20);
  assert.is(isOf(one).outdoor_c, 7);
  said(3, 0);
  pass(20, 20);
  assert.is(isOf(one).outdoor_c, 3);
});

heat('a template that makes what cannot be says nothing: `is` never has null', () => {
  const all = burning();
  const { one, pass } = all;
  one.ask('room/attic/set/outdoor', JSON.stringify({ topic: 'weather/now', template: 'value_json.t * 1e300' }));
  one.person.publish('weather/now', '{"t":1e8}');
  pass(20, 20);
  const text = one.broker.retained.get('hearth/room/attic/is') ?? '';
  assert.not.match(text, /null/);
  assert.is(isOf(one).outdoor_c, undefined);
  assert.match(isOf(one).err, /weather\/now: 1e\+308 °C cannot be/);
});

heat('what one thermometer said counts no more when the room has another one', () => {
  const { one, pass, node } = burning();
  one.person.publish('hearth/room/attic/in/temp_c', '');
  one.ask('room/attic/set/thermometer', 'boiler/temperature');
  one.person.publish('boiler/temperature', '18');
  pass(60);
  assert.ok(node.asked() > 0);
  one.ask('room/attic/set/thermometer', 'attic/temperature');
  pass(20);
  assert.equal([node.asked(), isOf(one).temp_c, statusOf(one)], [0, undefined, 'offline']);
  // It is another place: no jump.
  one.person.publish('attic/temperature', '23.5');
  pass(20);
  assert.equal([isOf(one).temp_c, statusOf(one)], [23.5, 'online']);
  // The same one, a little more patient, is no other.
  one.ask('room/attic/set/thermometer', JSON.stringify({ topic: 'attic/temperature', stale_min: 30 }));
  pass(20);
  assert.is(isOf(one).temp_c, 23.5);
});

heat('a weather station that is not understood is said, and not in place of a thermometer that is silent', () => {
  const { one, pass } = burning();
  one.ask('room/attic/set/outdoor', 'weather/now');
  one.person.publish('weather/now', 'sunny');
  pass(20, 19);
  assert.match(isOf(one).err, /weather\/now: "sunny" is no number/);
  pass(720);
  assert.match(isOf(one).err, /said nothing for 1\d minutes/);
});

heat('a plug that is not understood is said once, on the events', () => {
  const all = warm();
  const { one, pass } = all;
  one.ask('node/n1/set/heat/plug', 'plug/state');
  for (let n = 0; n < 10; n++) {
    one.person.publish('plug/state', 'ON');
    pass(20);
  }
  const said = events(all).filter(text => text.includes('plug/state'));
  assert.is(said.length, 1, said.join());
  const { kind, node, text } = JSON.parse(said[0] ?? '{}');
  assert.equal([kind, node], ['plug', 'n1']);
  assert.match(text, /plug\/state: "ON" is no number/);
});

heat.run();
