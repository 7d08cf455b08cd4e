/** Desired state: how every kind of payload is read, what is refused and why, and that nothing is half applied. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { NodeEntry } from '../../broker/desired/compile.ts';
import { readSet } from '../../broker/desired/desired.ts';
import { kindAt } from '../../broker/desired/keys.ts';
import { nodeInput } from '../../shared/schemas/node-document.ts';

const desired = suite('desired');

const entry: NodeEntry = {
  rev: 7,
  document: {
    services: {
      web: { run: './web', env: { PORT: '80', HOST: 'a' } },
      job: { run: ['./job', '{}'], restart: 'never' },
    },
  },
};
const bytes = (payload: string | Uint8Array) =>
  typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
const set = (path: string, payload: string | Uint8Array, from = entry) =>
  readSet('node', from, path === '' ? [] : path.split('/'), bytes(payload));

/** The new services; `undefined` for "as it was". */
function accepted(path: string, payload: string | Uint8Array, from = entry) {
  const { document } = set(path, payload, from);
  if (!document.ok) throw new Error(`${document.error.code}: ${document.error.message}`);
  return document.value && (document.value.services ?? {});
}
function refused(path: string, payload: string | Uint8Array, from = entry) {
  const { document } = set(path, payload, from);
  if (document.ok) throw new Error(`accepted: ${JSON.stringify(document.value)}`);
  return { code: document.error.code, text: `${document.error.at ?? ''}: ${document.error.message}` };
}

desired('the schema says how each key is read', () => {
  const kinds: Record<string, string> = {
    '': 'object',
    services: 'object',
    'services/x': 'string-or-object',
    'services/x/run': 'string-or-array',
    'services/x/cwd': 'string',
    'services/x/env': 'object',
    'services/x/env/A': 'string',
    'services/x/restart': 'string',
    'services/x/stop/grace_s': 'number',
    'services/x/stop/signal': 'string',
  };
  for (const [path, kind] of Object.entries(kinds)) {
    const found = kindAt(nodeInput, path === '' ? [] : path.split('/'));
    assert.equal(found, { ok: true, value: kind }, path);
  }
});

desired('a command line is the payload less one final newline, whatever it looks like', () => {
  for (const text of ['1.10', '007', 'true', 'null', '"x"', '[1]', ' x ', 'a\nb', '-']) {
    assert.is(accepted('services/x', text)?.x?.run, text);
    assert.is(accepted('services/x', `${text}\n`)?.x?.run, text);
  }
  assert.is(accepted('services/x', 'a\n\n')?.x?.run, 'a\n');
  assert.equal(accepted('services/web/env/PORT', '007')?.web?.env, { PORT: '007', HOST: 'a' });
});

desired('a payload that starts with { is the object, and replaces the whole service', () => {
  assert.equal(accepted('services/web', '{"run":"x","restart":"never"}')?.web, { run: 'x', restart: 'never' });
  assert.equal(accepted('services/job/run', '["a","b c"]')?.job?.run, ['a', 'b c']);
  assert.is(accepted('services/job/run', './other')?.job?.run, './other');
  assert.equal(accepted('services/web/stop/grace_s', ' 2.5\n')?.web?.stop, { grace_s: 2.5 });
});

desired('a patch merges, null deletes, and a bare command replaces what the service was', () => {
  const services = accepted('', '{"services":{"web":{"env":{"PORT":null,"NEW":"1"}},"job":null,"extra":"true"}}');
  assert.equal(services, { web: { run: './web', env: { HOST: 'a', NEW: '1' } }, extra: { run: 'true' } });
  assert.equal(accepted('', '{"services":{"web":"x"}}')?.web, { run: 'x' });
  assert.equal(accepted('', '{"services":{"web":["x","y"]}}')?.web, { run: ['x', 'y'] });
  assert.equal(accepted('', '{"services":null}'), {});
});

desired('empty on a key clears it; clearing what is not there changes nothing', () => {
  assert.equal(Object.keys(accepted('services/web', '') ?? {}), ['job']);
  assert.equal(accepted('services/web/env/PORT', '')?.web?.env, { HOST: 'a' });
  assert.equal(accepted('services', ''), {});
  for (const path of ['services/none', 'services/none/env/X', 'services/job/stop/grace_s']) {
    assert.is(accepted(path, ''), undefined, path);
  }
  assert.match(refused('services/web/run', '').text, /services\.web.*(run|command)/);
});

desired('the same again, keys in any order, is no change', () => {
  assert.is(accepted('', '{}'), undefined);
  assert.is(accepted('services/web', '{"env":{"HOST":"a","PORT":"80"},"run":"./web"}'), undefined);
  assert.is.not(accepted('services/job/run', '["{}","./job"]'), undefined);
});

desired('all or nothing: one bad service in a patch and none is taken', () => {
  const before = JSON.stringify(entry);
  refused('', '{"services":{"good":"true","bad":7}}');
  assert.is(JSON.stringify(entry), before);
});

desired('rev: stale is refused with the present one, equal and newer are taken', () => {
  const stale = refused('', '{"rev":6,"services":{"x":"y"}}');
  assert.is(stale.code, 'stale-rev');
  assert.match(stale.text, /6 is stale.*at 7/);
  for (const rev of [7, 8]) assert.ok(accepted('', `{"rev":${rev},"services":{"x":"y"}}`));
  for (const rev of ['"7"', '-1', '1.5', '1e400', 'null']) assert.match(refused('', `{"rev":${rev}}`).text, /rev/);
});

desired('tx comes back, also with a refusal, and is bounded', () => {
  assert.is(set('', '{"tx":"a1","services":{"x":"y"}}').tx, 'a1');
  assert.is(set('', '{"tx":42,"services":{"x":7}}').tx, '42');
  assert.is(set('', '{"tx":"a1","rev":0}').tx, 'a1');
  assert.match(refused('', `{"tx":"${'x'.repeat(65)}"}`).text, /tx.*64/);
  assert.match(refused('', '{"tx":{}}').text, /tx/);
});

const nested = (depth: number) => `${'{"services":'.repeat(depth)}1${'}'.repeat(depth)}`;
const bad: readonly [name: string, path: string, payload: string | Uint8Array, code: string, text: RegExp][] = [
  ['empty set', '', '', 'empty', /empty/],
  ['broken JSON', '', '{"services":', 'not-json', /JSON/],
  ['a list', '', '[1]', 'schema', /object/],
  ['a number', '', '7', 'schema', /object/],
  ['null', '', 'null', 'schema', /object/],
  ['bare text', '', 'sleep 1', 'not-json', /JSON/],
  ['no UTF-8', '', Uint8Array.of(0x7b, 0xff), 'not-utf8', /UTF-8/],
  ['no UTF-8 in a command', 'services/x', Uint8Array.of(0xc3, 0x28), 'not-utf8', /UTF-8/],
  ['unknown key', '', '{"servces":{}}', 'unknown-key', /unknown key "servces".*"services"/],
  ['unknown key, deleted', '', '{"servces":null}', 'unknown-key', /servces/],
  ['unknown key deep down', '', '{"services":{"web":{"rnu":null}}}', 'unknown-key', /services\.web.*"rnu".*"run"/],
  ['unknown key in the topic', 'servces/x', 'y', 'unknown-key', /servces/],
  ['a level too many', 'services/web/run/x', 'y', 'unknown-key', /services\.web\.run.*no keys/],
  ['service name', '', '{"services":{"a b":"x"}}', 'unknown-key', /"a b".*not a service name/],
  ['variable name', 'services/web/env/1A', 'x', 'unknown-key', /variable name/],
  ['a number as service', '', '{"services":{"x":7}}', 'schema', /services\.x.*command line/],
  ['no command', 'services/x', '{"env":{}}', 'schema', /services\.x\.run/],
  ['empty command', 'services/x', '\n', 'schema', /empty command/],
  ['empty argv', 'services/web/run', '[]', 'schema', /empty command/],
  ['NUL', 'services/x', 'a\0b', 'schema', /NUL/],
  ['a long command', 'services/x', 'x'.repeat(16_385), 'schema', /16 kB/],
  ['1 MB', 'services/x', 'x'.repeat(1024 * 1024), 'too-large', /262144/],
  ['1 MB of JSON', '', `{"services":{"x":"${'x'.repeat(1024 * 1024)}"}}`, 'too-large', /262144/],
  ['50 levels', '', nested(50), 'too-deep', /16 levels/],
  ['50 levels in a value', 'services/x', nested(50), 'too-deep', /16 levels/],
  ['the prototype', '', '{"__proto__":{"x":1}}', 'schema', /__proto__/],
  ['the prototype below', '', '{"services":{"x":{"run":"y","env":{"\\u005f_proto__":"1"}}}}', 'schema', /proto/],
  ['no number', 'services/web/stop/grace_s', 'soon', 'schema', /stop\.grace_s.*"soon" is not a number/],
  ['too great a number', 'services/web/stop/grace_s', '3601', 'schema', /grace_s/],
  ['no such word', 'services/web/restart', 'sometimes', 'schema', /restart/],
  ['relative folder', 'services/web/cwd', 'tmp', 'schema', /absolute/],
];
for (const [name, path, payload, code, text] of bad) {
  desired(`refused: ${name}`, () => {
    const why = refused(path, payload);
    assert.match(why.text, text);
    assert.is(why.code, code);
  });
}

desired('names that objects inherit are names like any other', () => {
  assert.equal(accepted('services/constructor', 'x')?.constructor, { run: 'x' });
  assert.is(accepted('services/toString', ''), undefined);
  for (const key of ['toString', 'constructor', '__proto__']) assert.is(refused(key, 'x').code, 'unknown-key', key);
  assert.equal(accepted('', '{"services":{"hasOwnProperty":"x"}}')?.hasOwnProperty, { run: 'x' });
});

desired('at most 200 services, with the limit named', () => {
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`s${index}`, { run: 'x' }]));
  assert.is(Object.keys(accepted('', JSON.stringify({ services: many }), { rev: 0, document: {} }) ?? {}).length, 200);
  assert.match(refused('services/one-more', 'x', { rev: 1, document: { services: many } }).text, /200 services/);
});

desired.run();
