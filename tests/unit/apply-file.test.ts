/** A cluster file is read whole or not at all, and every mistake is told with file, line and column. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { type ClusterFile, readClusterFile, standardInput } from '../../cli/apply/cluster-file.ts';
import { clusterFile } from '../../shared/schemas/cluster-file.ts';
import { inlineBytes } from '../../shared/schemas/file.ts';
import { folder } from '../fixture/processes.ts';

const test = suite('apply: file');

const read = (text: string, at = '/nowhere', file = 'cluster.yaml'): Promise<ClusterFile> =>
  readClusterFile({ text, file, folder: at });
const documentsOf = async (text: string, at?: string) =>
  Object.fromEntries([...(await read(text, at)).said].map(([path, { document }]) => [path, document]));
async function refusal(text: string, at?: string): Promise<string> {
  try {
    await read(text, at);
  } catch (error) {
    assert.is((error as Error).name, 'UserError', String((error as Error).stack));
    return (error as Error).message;
  }
  throw new Error('it was taken');
}
const mistakes = async (text: string, at?: string) =>
  (await refusal(text, at))
    .split('\n')
    .slice(1)
    .map(line => line.trim());

test('short forms, anchors and merge keys become the documents that a set would make', async () => {
  const text = `version: 1
roles:
  all: {packages: &base {htop: installed, chuffed: "0.10", g++: {name: g++}}}
  web:
    packages:
      <<: *base
      htop: absent
    services: {site: ./serve, argv: [a, "b c"]}
nodes:
  n1: {roles: "web, db", labels: {room: attic}}
`.replace('g++: {name', 'gpp: {name');
  const base = { chuffed: { version: '0.10' }, gpp: { name: 'g++' } };
  assert.equal(await documentsOf(text), {
    'role/all': { packages: { htop: { state: 'installed' }, ...base } },
    'role/web': {
      packages: { ...base, htop: { state: 'absent' } },
      services: { site: { run: './serve' }, argv: { run: ['a', 'b c'] } },
    },
    'node/n1': { labels: { room: 'attic' }, roles: ['web', 'db'] },
  });
});

test('all mistakes at once, in their order, with the nearest key that there is', async () => {
  const text = `version: 1
roles:
  web:
    services:
      site:
        run: ./serve
        cwdd: /srv
        cwd: srv
      "bad name": x
    packages:
      chuffed: 0.10
      hold: {hold: "yes"}
    files:
      motd: {path: /etc/motd, mode: 0644, content: x}
    servises: {}
nodes:
  N1: {}
  n2: {roles: [web, web]}
`;
  const said = await mistakes(text);
  const places = said.map(line => /^cluster\.yaml:(\d+:\d+): (.*)$/.exec(line)?.slice(1) ?? [line]);
  const starts: [string, RegExp][] = [
    ['7:9', /roles\.web\.services\.site: unknown key "cwdd": did you mean "cwd"\?/],
    ['8:14', /roles\.web\.services\.site\.cwd: must be an absolute path/],
    ['9:7', /not a service name/],
    ['11:16', /YAML reads this as a number: put it in quotes/],
    ['12:20', /expected boolean/],
    ['14:37', /put it in quotes/],
    ['15:5', /unknown key "servises": did you mean "services"\?/],
    ['17:3', /not a node id/],
    ['18:15', /named twice/],
  ];
  assert.equal(
    places.map(([place]) => place),
    starts.map(([place]) => place),
    said.join('\n'),
  );
  for (const [index, [, words]] of starts.entries()) assert.match(places[index]?.[1] ?? '', words);
});

test('a mistake in what an alias or merge key brings in is told where it is written', async () => {
  const [line] = await mistakes(
    'version: 1\nroles:\n  a: {services: {x: &x {run: y, cwd: z}}}\n  b: {services: {x: {<<: *x, user: "-"}}}\n',
  );
  assert.match(line ?? '', /^cluster.yaml:3:38: roles\.a\.services\.x\.cwd/);
  const all = await mistakes('version: 1\nroles:\n  b: {services: {x: {<<: {run: y, cwd: z}, restart: no}}}\n');
  assert.match(all.join(), /cluster.yaml:3:40: roles\.b\.services\.x\.cwd: must be an absolute path/);
});

test('rules that span keys are the supervisor’s own', async () => {
  assert.match(
    (await mistakes('version: 1\nroles: {a: {files: {f: {path: /x, content: a, source: "file:///a"}}}}')).join(),
    /cluster\.yaml:2:\d+: roles\.a\.files\.f\.content: a file needs its content or a source, one of the two/,
  );
  assert.match((await mistakes('version: 1\nroles: {a: {services: {s: {cwd: /}}}}')).join(), /missing: a command line/);
  assert.match((await mistakes('version: 1\nroles: {a: {applied: {}}}')).join(), /unknown key "applied"/);
  assert.match((await mistakes('version: 1\nnodes: {a: {rollout: "off"}}')).join(), /unknown key "rollout"/);
});

test('what is broken as YAML is told, and nothing of it is guessed', async () => {
  assert.match(
    (await mistakes('version: 1\nroles: {a: {}, a: {}}')).join(),
    /^cluster\.yaml:2:16: Map keys must be unique/,
  );
  assert.match((await mistakes('version: 1\nroles: [1')).join(), /^cluster\.yaml:2:\d+: Flow sequence/);
  assert.match((await mistakes('version: 1\n__proto__: {x: 1}')).join(), /"__proto__" is not allowed/);
  assert.match((await mistakes('version: 1\n? [a]\n: 1')).join(), /:2:3: a key has to be a plain word/);
  assert.match((await mistakes('version: 1\nroles: !!js/function "x"')).join(), /:2:8: Unresolved tag/);
  assert.match((await mistakes('version: 1\n---\nversion: 1')).join(), /multiple documents/);
  assert.match(await refusal('roles: {}'), /cluster\.yaml:1:1: there is no version/);
  assert.match(await refusal('version: 2'), /version 2, but this Hearth reads up to 1/);
  assert.match((await mistakes('version: "1"')).join(), /:1:10: version: this Hearth reads version 1/);
  for (const text of ['', 'x', '[1]', '# only']) assert.match(await refusal(text), /says nothing/);
});

test('bombs are refused in a sentence: aliases of aliases, and nesting without end', async () => {
  const levels = Array.from(
    { length: 9 },
    (_, index) => `l${index + 1}: &l${index + 1} [${Array(9).fill(`*l${index}`).join(', ')}]`,
  );
  assert.match(await refusal(`l0: &l0 [x]\n${levels.join('\n')}`), /Excessive alias count/);
  assert.match(await refusal('['.repeat(200_000)), /nested too deeply/);
  assert.match(await refusal(`version: 1\nroles: ${'{a: '.repeat(20_000)}`), /nested too deeply|mistakes/);
  const many = Array.from({ length: 50 }, (_, index) => `k${index}: 1`).join('\n');
  assert.match(await refusal(`version: 1\n${many}`), /50 mistakes[\s\S]*and 30 more$/);
});

test('a key with nothing after it says nothing, where items would stand', async () => {
  const text = 'version: 1\nroles:\n  web:\n    services:\n  db:\nnodes:\n  n1:\n    labels:\n    roles:\n';
  assert.equal(await documentsOf(text), { 'role/web': {}, 'role/db': {}, 'node/n1': {} });
  assert.equal(await documentsOf('version: 1\nroles:\nnodes:\n'), {});
  assert.match((await mistakes('version: 1\nroles: {a: {services: {x: }}}')).join(), /there is nothing after it/);
  assert.match(
    (await mistakes('version: 1\nroles: {a: {services: {x: {run: }}}}')).join(),
    /there is nothing after it/,
  );
});

test('the name is said, or the file’s own without its extension; standard input has none', async () => {
  const name = async (text: string, file: string) => (await read(text, '/', file)).name;
  assert.is(await name('version: 1', '/x/web servers.prod.yaml'), 'web-servers.prod');
  assert.is(await name('version: 1\nname: main', 'x.yaml'), 'main');
  assert.is(await name('version: 1', standardInput), undefined);
  assert.match((await mistakes('version: 1\nname: a b')).join(), /:2:7: name: not a name/);
});

test('from: small text goes inline, all else becomes an artifact, relative to the file', async () => {
  const at = folder();
  mkdirSync(join(at, 'sub'));
  writeFileSync(join(at, 'sub/motd'), 'Grüße\n');
  writeFileSync(join(at, 'edge'), 'x'.repeat(inlineBytes));
  writeFileSync(join(at, 'long'), 'x'.repeat(inlineBytes + 1));
  writeFileSync(join(at, 'bytes'), Buffer.from([0x66, 0xff, 0]));
  writeFileSync(join(at, 'nul'), 'a\0b');
  const file = (name: string, more = '') =>
    `${name}: {path: /${name}, from: ./${name === 'motd' ? 'sub/motd' : name}${more}}`;
  const said = await read(
    `version: 1\nroles: {a: {files: {${[file('motd', ', template: true'), file('edge'), file('long'), file('bytes'), file('nul')].join(', ')}}}}`,
    at,
  );
  const files = said.said.get('role/a')?.document.files as Record<string, Record<string, unknown>>;
  assert.equal(files.motd, { path: '/motd', content: 'Grüße\n', template: true });
  assert.is(String(files.edge?.content).length, inlineBytes);
  const uploads = new Map([...said.uploads].map(([sha256, { path, bytes }]) => [`artifact:${sha256}`, [path, bytes]]));
  assert.equal(uploads.get(String(files.long?.source)), [join(at, 'long'), inlineBytes + 1]);
  assert.equal(uploads.get(String(files.bytes?.source)), [join(at, 'bytes'), 3]);
  assert.equal(uploads.get(String(files.nul?.source)), [join(at, 'nul'), 3], 'no text that could stand in a document');
  assert.equal([uploads.size, files.long?.content], [3, undefined]);
});

test('from: what cannot be is told at its place', async () => {
  const at = folder();
  writeFileSync(join(at, 'long'), 'x'.repeat(inlineBytes + 1));
  writeFileSync(join(at, 'short'), 'x');
  const one = async (item: string) =>
    (await mistakes(`version: 1\nroles: {a: {files: {f: {path: /f, ${item}}}}}`, at)).join();
  assert.match(
    await one('from: none'),
    /^cluster\.yaml:2:41: roles\.a\.files\.f\.from: none is not there: looked for \//,
  );
  assert.match(await one('from: .'), /is not a file/);
  assert.match(await one('from: /dev/zero'), /is not a file/);
  assert.match(await one('from: long, template: true'), /cannot be a template: that is text of at most 16 kB/);
  assert.match(await one('from: short, content: y'), /one of "from", "content" and "source"/);
  assert.match(await one('from: short, state: absent'), /says nothing of a file that is to be absent/);
  assert.match(await one(`from: short, sha256: ${'a'.repeat(64)}`), /has another SHA-256: 2d711642/);
  assert.match(await one('from: short, content: y, unpack: true'), /one of/);
  const unpacked = await read('version: 1\nroles: {a: {files: {f: {path: /f, from: short, unpack: true}}}}', at);
  assert.is(unpacked.uploads.size, 1, 'an archive is never inline');
});

test('the example in docs/cluster-file.md is one', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/cluster-file.md'), 'utf8');
  const text = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const at = folder();
  writeFileSync(join(at, 'site.conf'), 'x\n');
  writeFileSync(join(at, 'app.tar.gz'), 'x');
  assert.equal(Object.keys(await documentsOf(text, at)), [
    ...['role/all', 'role/web', 'node/cellar', 'node/attic', 'room/attic'],
  ]);
});

test('the published JSON Schema is this one, and says what each key means', () => {
  const file = join(import.meta.dirname, '../../docs/reference/schemas/cluster-file.json');
  const { title, properties } = JSON.parse(readFileSync(file, 'utf8'));
  assert.is(title, 'cluster.yaml');
  const made = z.toJSONSchema(clusterFile, { io: 'input' }) as { properties: object };
  assert.equal(Object.keys(properties), Object.keys(made.properties));
  for (const nouns of ['roles', 'nodes']) {
    const noun = properties[nouns].additionalProperties;
    assert.is(noun.additionalProperties, false);
    assert.not.ok('applied' in noun.properties);
    for (const [key, one] of Object.entries<{ description?: string }>(noun.properties)) assert.ok(one.description, key);
    const { path, from } = noun.properties.files.additionalProperties.properties;
    assert.ok(path.description && from.description);
    const [, service] = noun.properties.services.additionalProperties.anyOf;
    for (const [key, one] of Object.entries<{ description?: string }>(service.properties))
      assert.ok(one.description, key);
  }
});

test.run();
