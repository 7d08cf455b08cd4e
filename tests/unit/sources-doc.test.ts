/** What docs/sources.md shows is so: every payload, every template, every document. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import { recognise } from '../../broker/heat/sources/recognise.ts';
import { compileTemplate } from '../../shared/readings/template.ts';
import { wemoPlace } from '../../shared/readings/wemo-place.ts';
import { plugInput, thermometerInput } from '../../shared/schemas/reading.ts';
import { sensorsPayload } from '../../shared/schemas/telemetry.ts';

const test = suite('docs/sources.md');
const page = readFileSync(new URL('../../docs/sources.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```\n([\s\S]*?)^```$/gm)].map(match => match[1] ?? '');
const bytes = (text: string) => new TextEncoder().encode(text);

test('every payload becomes what stands behind it', () => {
  const lines = blocks.flatMap(block => block.split('\n')).filter(line => line.includes(' → '));
  assert.ok(lines.length >= 26, `${lines.length}`);
  for (const line of lines) {
    const [, topic = '', payload = '', value, unit, energy] =
      /^(\S+) (.*) → ([\d.]+) (°C|W)(?:, ([\d.]+) Wh)?$/.exec(line) ?? assert.fail(line);
    const read = recognise(unit === 'W' ? 'watts' : 'temp', topic, bytes(payload));
    assert.ok(typeof read === 'object', `${line}: ${read}`);
    assert.equal(read.value, Number(value), line);
    if (energy === undefined) assert.equal(read.energyWh, undefined, line);
    else assert.ok(Math.abs((read.energyWh ?? 0) - Number(energy)) < 1e-6, line);
  }
});

test('every template compiles, and every filter that the page names is one', () => {
  const block = blocks.find(one => one.startsWith('value_json.temperature')) ?? '';
  const templates = block.trim().split('\n');
  assert.equal(templates.length, 6);
  for (const template of templates) assert.ok(compileTemplate(template).ok, template);
  const named = /filters\n?\s*`([a-z ]+)`/.exec(page)?.[1]?.split(' ') ?? [];
  assert.equal(named.length, 9);
  for (const name of named) {
    const args = name === 'replace' ? '("a", "b")' : ['add', 'multiply', 'default'].includes(name) ? '(1)' : '';
    assert.ok(compileTemplate(`value | ${name}${args}`).ok, name);
  }
});

test('documents and the node’s message fit their schemas', () => {
  const plugs = [...page.matchAll(/set\/heat\/plug -m (?:'(\{.*\})'|(\S+))/g)].map(match => match[1] ?? match[2] ?? '');
  assert.equal(plugs.length, 3);
  for (const text of plugs) {
    const plug = plugInput.parse(text.startsWith('{') ? JSON.parse(text) : text);
    if ('wemo' in plug) assert.ok(wemoPlace(plug.wemo).ok);
  }
  const thermometers = [...page.matchAll(/set thermometer (?:'(\{.*\})'|(\S+))/g)].map(
    match => match[1] ?? match[2] ?? '',
  );
  assert.equal(thermometers.length, 2);
  for (const text of thermometers) thermometerInput.parse(text.startsWith('{') ? JSON.parse(text) : text);
  sensorsPayload.parse(JSON.parse(blocks.find(block => block.startsWith('{"node"')) ?? ''));
  for (const topic of ['a\u0001b', '\ud800', 'a/'.repeat(40), 'a/+/b', '$SYS/x']) {
    assert.equal(thermometerInput.safeParse(topic).success, false, JSON.stringify(topic));
  }
});

test.run();
