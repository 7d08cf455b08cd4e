/** The examples of docs/services.md are documents that a node obeys, and the page names every key. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { nodeInput } from '../../shared/schemas/node-document.ts';
import { type Service, serviceSchema } from '../../shared/schemas/service.ts';
import { healthSchema, readySchema, scheduleSchema } from '../../shared/schemas/service-life.ts';
import { ServicesNode } from '../fixture/services-node.ts';

const doc = suite('services page');

const text = readFileSync(join(import.meta.dirname, '../../docs/services.md'), 'utf8');
const examples = [...text.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, body = '']) => body);

doc('every example is accepted, and its services run, end well, or wait for their time', () => {
  assert.ok(examples.length >= 4);
  for (const example of examples) {
    const { services = {}, files = {} } = nodeInput.parse(JSON.parse(example));
    const node = new ServicesNode();
    for (const name of Object.keys(files)) node.others.set(`files/${name}`, { state: 'ok', mark: '1' });
    // What "true" does, in words that the simulated machine knows.
    const simulated = Object.entries(services).map(
      ([name, service]) => [name, service.run === 'true' ? { ...service, run: 'exit 0' } : service] as const,
    );
    node.begin(Object.fromEntries(simulated));
    node.time.pass(30_000);
    assert.is(node.table.error(), '', example);
    for (const [name, { restart, schedule, health }] of Object.entries<Service>(services)) {
      const expected = schedule !== undefined ? 'scheduled' : restart === 'never' ? 'exited' : 'running';
      assert.is(node.state(name), expected, `${name}: ${node.status(name)?.err}`);
      if (health) assert.is(node.status(name)?.health, 'healthy', name);
    }
  }
});

doc('every key is named', () => {
  const keysOf = (schema: z.ZodType): string[] => {
    const { properties = {}, anyOf = [] } = z.toJSONSchema(schema, { io: 'input' }) as {
      properties?: object;
      anyOf?: { properties?: object }[];
    };
    return [...Object.keys(properties), ...anyOf.flatMap(each => Object.keys(each.properties ?? {}))];
  };
  const keys = [serviceSchema, healthSchema, readySchema, scheduleSchema].flatMap(keysOf);
  assert.ok(keys.includes('catch_up') && keys.includes('no_log') && keys.includes('delay_s'));
  for (const key of keys) assert.ok(text.includes(`\`${key}\``) || text.includes(`"${key}"`), key);
});

doc.run();
