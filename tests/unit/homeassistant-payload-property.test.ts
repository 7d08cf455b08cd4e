/** What is announced of any view, whatever people and machines call themselves: by the rules of Home Assistant. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { Announcements, discovery } from '../../broker/homeassistant/payload.ts';
import { type HaNode, type HaRoom, type HaView, telemetryKeys } from '../../broker/homeassistant/view.ts';
import { parseTopic } from '../../shared/topics.ts';
import { readDiscovery } from '../fixture/home-assistant-rules.ts';

const test = suite('home assistant payload, any view');

const id = fc.stringMatching(/^[a-z0-9-]{1,20}$/).filter(text => text !== 'all');
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom(
    '{{ 1 }}',
    '{% x %}',
    '\ud800',
    'a\ud83d',
    '  ',
    '"',
    '\u202e',
    '#/+',
    "';--",
    '\0',
    `${'x'.repeat(63)}😀`,
  ),
);
const room: fc.Arbitrary<HaRoom> = fc.record(
  {
    id,
    name: hostile,
    minC: fc.double({ min: -100, max: 100 }),
    maxC: fc.double({ min: -100, max: 100 }),
    outdoor: fc.boolean(),
  },
  { requiredKeys: ['id'] },
);
const node: fc.Arbitrary<HaNode> = fc.record(
  {
    id,
    info: fc.record({ cpu: hostile, os: hostile, arch: hostile, ver: hostile, caps: hostile }, { requiredKeys: [] }),
    room: fc.oneof(id, hostile),
    has: fc.subarray([...telemetryKeys]).map(keys => new Set(keys)),
    power: fc.boolean(),
    wakes: fc.boolean(),
    loadEveryMs: fc.double(),
  },
  { requiredKeys: ['id', 'has', 'power', 'wakes'] },
);
const views: fc.Arbitrary<HaView> = fc.record(
  {
    base: fc.stringMatching(/^[a-z0-9-]{1,9}$/),
    prefix: fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/),
    ver: hostile,
    cluster: fc.stringMatching(/^[0-9a-f]{32}$/),
    url: fc.oneof(hostile, fc.webUrl()),
    rooms: fc.uniqueArray(room, { selector: one => one.id, maxLength: 4 }),
    nodes: fc.uniqueArray(node, { selector: one => one.id, maxLength: 4 }),
    watts: fc.boolean(),
  },
  { requiredKeys: ['base', 'prefix', 'ver', 'cluster', 'rooms', 'nodes', 'watts'] },
);

test('whatever people and machines call themselves, Home Assistant takes every announcement whole', () => {
  fc.assert(
    fc.property(views, view => {
      const seen = new Set<string>();
      for (const [topic, text] of discovery(view)) {
        const { wrong, found } = readDiscovery(topic, text);
        assert.deepEqual(wrong, [], `${topic} ${text}`);
        assert.ok(text.length < 16_384);
        for (const component of Object.values(found.components)) {
          const unique = String(component.unique_id);
          assert.ok(!seen.has(unique), unique);
          seen.add(unique);
          for (const [key, value] of Object.entries(component)) {
            if (key.endsWith('_topic')) assert.ok(parseTopic(String(value), view.base).ok, String(value));
            // Templates are made of our own words alone.
            if (key.endsWith('_template')) assert.match(String(value), template, String(value));
            else assert.doesNotMatch(JSON.stringify(value), /\{\{|\{%/);
          }
        }
      }
    }),
    { numRuns: 80 },
  );
});

/** The four kinds of templates, over lower-case keys. */
const at = String.raw`\(value_json\|default\(\{\}\)\)\.[a-z0-9_]+\|default`;
const template = new RegExp(
  [
    String.raw`^\{\{ ${at}\(None\) \}\}$`,
    String.raw`^\{\{ 'ON' if ${at}\(''\) != '' else 'OFF' \}\}$`,
    String.raw`^\{\{ \{'draining':'on','ready':'off'\}\.get\(${at}\(''\)\|string,None\) \}\}$`,
    String.raw`^\{\{ \{'reason':${at}\(''\)\}\|to_json \}\}$`,
  ].join('|'),
);

test('only what is new is made again, and it is the same as made at once', () => {
  fc.assert(
    fc.property(fc.array(views, { minLength: 1, maxLength: 4 }), fc.boolean(), (story, knows) => {
      const made = new Announcements();
      const options = knows ? { known: () => new Set(['power', 'cpu', 'temperature']) } : {};
      // Twice: the second time from what was kept.
      for (const view of [...story, ...story]) {
        const steps = made.read(view, options);
        let step = steps.next();
        while (!step.done) step = steps.next();
        assert.deepEqual([...step.value], [...discovery(view, options)]);
        const again = made.read(view, options).next();
        assert.equal(again.done, true);
      }
    }),
    { numRuns: 25 },
  );
});

test.run();
