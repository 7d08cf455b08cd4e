import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { staleFiles } from '../../docs/generate.ts';
import { referenceFiles } from '../../docs/reference-files.ts';
import { fabricTopics, jobTopics, nodeTopics, payloads, roomTopics } from '../../shared/reference.ts';
import { settings } from '../../shared/schemas/config.ts';

const reference = suite('reference');

reference('what lies in docs/reference is what shared/ says ("npm run docs" writes it)', () => {
  assert.equal(staleFiles(), []);
});

for (const payload of payloads) {
  reference(`the example of ${payload.name} fits its schema`, () => {
    const parsed = payload.schema.safeParse(payload.example);
    assert.ok(parsed.success, parsed.success ? '' : parsed.error.message);
  });
}

reference('every key that a schema has is explained, and no other', () => {
  for (const payload of payloads) {
    const { properties = {} } = z.toJSONSchema(payload.schema, { io: 'input' }) as { properties?: object };
    assert.equal(Object.keys(payload.keys ?? {}).sort(), Object.keys(properties).sort(), payload.name);
  }
});

reference('topics name payloads that exist', () => {
  const names = new Set(payloads.map(payload => payload.name));
  for (const { part, payload } of [...nodeTopics, ...jobTopics, ...roomTopics, ...fabricTopics]) {
    if (payload !== undefined) assert.ok(names.has(payload), `${part}: ${payload}`);
  }
});

reference('every setting is on the configuration page, and those of the file in its JSON Schema', () => {
  const files = referenceFiles();
  const page = files.get('configuration.md') ?? '';
  const schema = JSON.parse(files.get('schemas/config.json') ?? '{}') as { properties: object };
  for (const setting of Object.values(settings)) {
    assert.match(page, `--${setting.name}`);
    assert.is(Object.hasOwn(schema.properties, setting.name), setting.inFile, setting.name);
  }
});

reference.run();
