/** A plug of a node or role that cannot be read is refused when it is set: key, place in the template, what to do. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSet } from '../../broker/desired/desired.ts';
import { loadJournal } from '../../broker/desired/load-journal.ts';
import { createMemoryStore } from '../../broker/store/memory.ts';
import { readClusterFile } from '../../cli/apply/cluster-file.ts';
import { format } from '../../shared/limits.ts';

const test = suite('desired: plugs');

const wrong = [
  [
    { topic: 'p', template: 'value_json.power | flaot' },
    'template',
    'the template is not understood at character 20: there is no filter "flaot": did you mean "float"?',
  ],
  [
    { topic: 'p', template: '1 + value_jsn.power' },
    'template',
    'the template is not understood at character 5: "value_jsn" is not known: use value or value_json',
  ],
  [
    { topic: 'p', template: '{{ value_json.power' },
    'template',
    'the template is not understood at character 20: "}}" is missing',
  ],
  [{ topic: 'p', template: '' }, 'template', 'an empty template: leave it out, or write value_json.KEY'],
  [{ topic: 'p', template: '1'.repeat(301) }, 'template', 'a template is at most 300 characters long'],
  [
    { wemo: 'http://8.8.8.8:49153' },
    'wemo',
    '8.8.8.8 is not in a private network: use http://ADDRESS:49153 with its address in your network',
  ],
  [
    { wemo: 'http://169.254.169.254:49153' },
    'wemo',
    '169.254.169.254 is not in a private network: use http://ADDRESS:49153 with its address in your network',
  ],
  [
    { wemo: 'http://192.168.1.5:22' },
    'wemo',
    'a Wemo answers on a port from 49151 to 49155: use http://ADDRESS:49153 with its address in your network',
  ],
  [
    { wemo: 'http://192.168.1.5/admin?x' },
    'wemo',
    "a Wemo's address has no path, user or question in it: use http://ADDRESS:49153 with its address in your network",
  ],
  [{ wemo: 'file:///etc/passwd' }, 'wemo', 'not the address of a Wemo: write it as http://ADDRESS:49153'],
] as const;

const empty = { document: {}, rev: 0 };
const set = (noun: 'node' | 'role', path: readonly string[], value: unknown) =>
  readSet(noun, empty, path, new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)));

for (const noun of ['node', 'role'] as const) {
  test(`of a ${noun}, as a patch, by its key and by the key below`, () => {
    for (const [plug, key, message] of wrong) {
      const refused = { ok: false, error: { code: 'schema', message, at: `heat.plug.${key}` } };
      assert.equal(set(noun, [], { heat: { plug } }).document, refused);
      assert.equal(set(noun, ['heat', 'plug'], plug).document, refused);
      if ('wemo' in plug) assert.equal(set(noun, ['heat', 'plug', 'wemo'], plug.wemo).document, refused);
    }
    for (const plug of [
      { wemo: 'http://192.168.1.5:49153' },
      { topic: 'p', template: '{{ value_json.power }}', broker: 'own' },
    ])
      assert.equal(set(noun, ['heat', 'plug'], plug).document, { ok: true, value: { heat: { plug } } });
  });
}

test('of a cluster file, with line and column', async () => {
  for (const [plug, , message] of wrong) {
    for (const noun of ['nodes', 'roles']) {
      const text = `version: 1\n${noun}:\n  gpu:\n    heat:\n      plug: ${JSON.stringify(plug)}\n`;
      let said = '';
      await readClusterFile({ text, file: 'c.yaml', folder: '/nowhere' }).catch(error => {
        said = error.message;
      });
      assert.match(said, /c\.yaml:5:\d+: /);
      assert.ok(said.includes(message), said);
    }
  }
});

test('what an older Hearth accepted is still read at its start', () => {
  const document = { heat: { plug: { topic: 'p', template: 'value_jsn', broker: 'own' } } };
  const disk = new Map([
    ['meta/format', String(format)],
    ['meta/rev', '1'],
    ['doc/node/n1', JSON.stringify({ document, rev: 1 })],
  ]);
  const store = createMemoryStore({ disk, later: run => run() });
  let found: unknown;
  loadJournal(store, (error, journal) => {
    found = error ?? journal?.nodes.get('n1')?.document;
  });
  assert.equal(found, document);
});

test.run();
