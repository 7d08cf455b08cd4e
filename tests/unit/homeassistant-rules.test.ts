/** The checker of announcements knows every way that Home Assistant drops one: each mistake, made in a good payload, is found. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { discovery } from '../../broker/homeassistant/payload.ts';
import { readDiscovery } from '../fixture/home-assistant-rules.ts';
import { haView } from '../fixture/home-assistant-view.ts';

const test = suite('home assistant rules');

// biome-ignore lint/suspicious/noExplicitAny: payloads are broken in every way
type Loose = any;
const all = [...discovery(haView())];
const [hub, room, node] = [all[0], all.find(([t]) => t.includes('_room_')), all.find(([t]) => t.includes('_node_'))];

function wrongWith(which: readonly [string, string] | undefined, mistake: (payload: Loose) => void): string {
  assert.ok(which);
  const payload = JSON.parse(which[1]);
  mistake(payload);
  return readDiscovery(which[0], JSON.stringify(payload)).wrong.join('\n');
}

const mistakes: readonly [string, readonly [string, string] | undefined, (payload: Loose) => void, RegExp][] = [
  ['~ at the root', room, p => Object.assign(p, { '~': 'hearth' }), /extra keys not allowed @ data\['~'\]/],
  ['an unknown root key', room, p => Object.assign(p, { status_topic: 'a' }), /extra keys/],
  ['a mistyped abbreviation at the root', room, p => Object.assign(p, { avtyy: [] }), /extra keys/],
  ['no origin', room, p => delete p.o, /origin.name/],
  ['no name of the origin', room, p => delete p.o.name, /origin.name/],
  ['a support url without scheme', room, p => Object.assign(p.o, { url: 'hearth.example' }), /invalid url/],
  ['a configuration url without scheme', hub, p => Object.assign(p.dev, { cu: 'ftp://a' }), /invalid url/],
  ['no identifiers', node, p => delete p.dev.ids, /at least one identifying/],
  ['a foreign key of the device', node, p => Object.assign(p.dev, { foo: 'a' }), /\['device'\]\['foo'\]/],
  ['an unknown platform', node, p => Object.assign(p.cmps.cpu, { p: 'gauge' }), /unknown platform/],
  ['no unique id', node, p => delete p.cmps.cpu.uniq_id, /unique_id/],
  ['both kinds of availability', node, p => Object.assign(p.cmps.cpu, { avty_t: 'a/b' }), /group of exclusion/],
  ['a wildcard in a command topic', room, p => Object.assign(p.cmps.allowed, { cmd_t: 'a/+/b' }), /Wildcards/],
  ['an empty topic', room, p => Object.assign(p.cmps.power, { stat_t: '' }), /bad topic/],
  ['a control character in a topic', room, p => Object.assign(p.cmps.power, { stat_t: 'a\u0007' }), /bad topic/],
  ['a unit that the class does not have', room, p => Object.assign(p.cmps.power, { unit_of_meas: 'kWp' }), /unit kWp/],
  ['energy as a measurement', room, p => Object.assign(p.cmps.energy, { stat_cla: 'measurement' }), /state class/],
  ['a class of a state that is none', room, p => Object.assign(p.cmps.demand, { stat_cla: 'sum' }), /state_class sum/],
  ['options with a unit', room, p => Object.assign(p.cmps.demand, { ops: ['a'] }), /options with a state_class/],
  ['no options', node, p => Object.assign(p.cmps.cpu, { ops: [] }), /empty options/],
  ['last reset', room, p => Object.assign(p.cmps.energy, { lrst_val_tpl: 'a' }), /last_reset/],
  ['an angle in %', node, p => Object.assign(p.cmps.cpu, { stat_cla: 'measurement_angle' }), /measurement_angle/],
  ['the preset none', room, p => p.cmps.climate.pr_modes.push('none'), /must not include preset mode/],
  ['presets without topic', room, p => delete p.cmps.climate.pr_mode_cmd_t, /preset_modes and its topic/],
  ['precision', room, p => Object.assign(p.cmps.climate, { precision: 0.2 }), /precision/],
  ['modes by default', room, p => delete p.cmps.climate.modes, /modes are not/],
  ['no state of the mode', room, p => delete p.cmps.climate.mode_stat_t, /mode is optimistic/],
  ['degrees of the system', room, p => delete p.cmps.climate.temp_unit, /temperature_unit/],
  ['optimistic', room, p => Object.assign(p.cmps.climate, { opt: true }), /optimistic/],
  ['category of a climate', room, p => Object.assign(p.cmps.climate, { ent_cat: 'config' }), /no entity_category/],
  ['min above max', room, p => Object.assign(p.cmps.max_power, { min: 5, max: 5 }), /max must be/],
  ['a step too small', room, p => Object.assign(p.cmps.max_power, { step: 0.0001 }), /step/],
  ['no command topic', room, p => delete p.cmps.max_power.cmd_t, /command_topic is required/],
  ['no command topic of a button', node, p => delete p.cmps.identify.cmd_t, /command_topic is required/],
  ['a misspelt key', node, p => Object.assign(p.cmps.cpu, { status_topic: 'a' }), /dropped in silence/],
  ['object_id', node, p => Object.assign(p.cmps.cpu, { obj_id: 'a' }), /object_id is deprecated/],
  ['an entity id without domain', node, p => Object.assign(p.cmps.cpu, { def_ent_id: 'n1_cpu' }), /needs the domain/],
  ['null', node, p => Object.assign(p.cmps.cpu, { exp_aft: null }), /null/],
  ['an availability payload that is no text', node, p => Object.assign(p.avty[0], { pl_avail: true }), /no text/],
];
for (const [what, payload, mistake, expected] of mistakes) {
  test(`finds ${what}`, () => assert.match(wrongWith(payload, mistake), expected));
}

test('takes what is right, and a component that is being removed', () => {
  for (const [topic, text] of all) assert.deepEqual(readDiscovery(topic, text).wrong, []);
  assert.equal(
    wrongWith(node, p => Object.assign(p.cmps, { cpu: { p: 'sensor' } })),
    '',
  );
});

test('refuses topics and texts that Home Assistant does not read', () => {
  const text = hub?.[1] ?? '';
  assert.match(readDiscovery('homeassistant/device/a.b/config', text).wrong.join(), /illegal discovery topic/);
  assert.match(readDiscovery('homeassistant/device/a/config', '{').wrong.join(), /parse JSON/);
  assert.match(readDiscovery('homeassistant/device/a/config', '[]').wrong.join(), /not an object/);
});

test.run();
