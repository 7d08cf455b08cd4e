/** Rooms in a cluster file: read, planned, shown, pruned and exported as roles and nodes are. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { acceptSet } from '../../broker/heat/rooms/accept.ts';
import { readClusterFile } from '../../cli/apply/cluster-file.ts';
import type { Document, NounPath } from '../../cli/apply/document.ts';
import { exportText } from '../../cli/apply/export-file.ts';
import { problemOf, rolesOfNobody, strangers } from '../../cli/apply/judge.ts';
import { type Documents, planAll } from '../../cli/apply/plan.ts';
import { dryRunLines, hintsOf, plainText } from '../../cli/apply/show.ts';
import { outlook } from '../../cli/apply/simulate.ts';
import type { RoomDocument } from '../../shared/schemas/room.ts';

const test = suite('apply: rooms');

const read = (text: string) => readClusterFile({ text: `version: 1\n${text}`, file: 'main.yaml', folder: '/nowhere' });
const mistakes = (text: string) =>
  read(text).then(
    () => '',
    (error: Error) => error.message,
  );
const accepted = (of: Record<string, Document>): Documents =>
  new Map(Object.entries(of).map(([path, document]) => [path as NounPath, { document, rev: 7 }]));
async function plansFor(documents: Documents, text: string, { prune = false, adopt = false } = {}) {
  const file = await read(text);
  const said = new Map([...file.said].map(([path, { document }]) => [path, document]));
  return { file, plans: planAll(documents, said, { name: 'main', prune, adopt }) };
}

const attic = `rooms:
  attic:
    mode: heat
    target_c: 20.5
    thermometer: zigbee2mqtt/attic
    filler: {run: [fah, --quiet], env: {TOKEN: s3cret}}
    rules: [{if: price > 0.35, add_c: -1}]
`;

test('short forms become the document that a set would make', async () => {
  const { said } = await read(attic);
  assert.equal(said.get('room/attic')?.document, {
    mode: 'heat',
    target_c: 20.5,
    thermometer: { topic: 'zigbee2mqtt/attic', broker: 'own' },
    filler: { run: ['fah', '--quiet'], env: { TOKEN: 's3cret' } },
    rules: [{ if: 'price > 0.35', add_c: -1 }],
  });
});

test('every mistake with its place, rules and templates too', async () => {
  const said = await mistakes(`rooms:
  Attic: {mode: heat}
  study:
    target_c: 99
    thermometr: x
    rules:
      - {if: price > 0.35, add_c: -1}
`);
  assert.match(said, /main\.yaml:3:3: rooms\.Attic: this name is not a room id/);
  assert.match(said, /main\.yaml:5:15: rooms\.study\.target_c: at most 30 °C/);
  assert.match(said, /main\.yaml:6:5: rooms\.study: unknown key "thermometr": did you mean "thermometer"\?/);
  assert.match(
    await mistakes('rooms:\n  study:\n    rules:\n      - {if: price, add_c: -1}\n'),
    /main\.yaml:5:14: rooms\.study\.rules\.0\.if: it is a number: compare it/,
  );
  assert.match(
    await mistakes('rooms:\n  study: {thermometer: {topic: t, template: value_jsn.t}}\n'),
    /main\.yaml:3:\d+: rooms\.study\.thermometer\.template: the template is not understood at character 1/,
  );
  const applied = await mistakes('rooms: {study: {applied: {x: [mode]}}}');
  assert.match(applied, /unknown key "applied"/);
});

test('a room comes into being, and the dry run shows what it will be told; no secret', async () => {
  // A role of the same name is another thing.
  const role = { services: { web: { run: './serve' } } };
  const documents = accepted({ 'role/attic': role, 'node/n1': { roles: ['attic'] } });
  const { file, plans } = await plansFor(documents, attic);
  assert.equal(
    [strangers(file, documents), rolesOfNobody(file, outlook({ documents, wants: new Map() }, []))],
    [[], []],
  );
  const [plan] = plans;
  assert.ok(plan);
  assert.equal([plan.path, plan.rev, problemOf(plan)], ['room/attic', undefined, undefined]);
  assert.equal(plan.patch?.applied, { main: ['filler', 'mode', 'rules', 'target_c', 'thermometer'] });
  const ahead = outlook({ documents, wants: new Map() }, [[plan.path, plan.after]]);
  assert.equal(ahead.changes, []);
  const lines = dryRunLines(plans, [], new Set(), 1, plainText);
  assert.equal(lines, [
    'room/attic: 5 added',
    '  + mode: "heat"',
    '  + target_c: 20.5',
    '  + rules: [{"if":"price > 0.35","add_c":-1}]',
    '  + thermometer: {"topic":"zigbee2mqtt/attic","broker":"own"}',
    '  + filler: {"run":["fah","--quiet"],"env":{"TOKEN":"…"}}',
    '1 node: nothing',
    'Nothing was sent.',
  ]);
});

test('what is there already is not sent; what the file put there and says no more is told, or pruned', async () => {
  const mine = { applied: { main: ['mode', 'target_c', 'max_w'] } };
  const room = { mode: 'heat', target_c: 20, max_w: 300, priority: 60, ...mine };
  const documents = accepted({ 'room/attic': room, 'room/other': { target_c: 18, applied: { main: ['target_c'] } } });
  const text = 'rooms: {attic: {mode: heat, target_c: 21, priority: 60}}';
  const kept = (await plansFor(documents, text)).plans;
  assert.equal(
    kept.map(({ path, patch, leftover, foreign }) => [path, patch, leftover, foreign]),
    [
      ['room/attic', { target_c: 21 }, ['max_w'], ['priority']],
      ['room/other', undefined, ['target_c'], []],
    ],
  );
  assert.match(hintsOf(kept, 'main', false).join(), /room\/attic: "main" put max_w there .* --prune removes it/);
  const pruned = (await plansFor(documents, text, { prune: true })).plans;
  assert.equal(
    pruned.map(({ path, patch }) => [path, patch]),
    [
      ['room/attic', { target_c: 21, max_w: null, applied: { main: ['mode', 'target_c'] } }],
      ['room/other', { target_c: null, applied: null }],
    ],
  );
  assert.match(
    dryRunLines(pruned, [], new Set(), 0, plainText).join('\n'),
    / {2}- target_c: 20\n {2}\+ target_c: 21\n {2}- max_w: 300/,
  );
});

test('a target of the file does not end the preset that stands beside it', async () => {
  const room = { target_c: 20, preset: 'eco' } as const;
  const { plans } = await plansFor(accepted({ 'room/attic': room }), 'rooms: {attic: {target_c: 21}}');
  const [plan] = plans;
  const entry = { document: room as RoomDocument, rev: 7 };
  const { entry: next } = acceptSet(entry, [], new TextEncoder().encode(JSON.stringify(plan?.patch)), 1);
  assert.ok(next.ok);
  assert.equal(next.value?.document, plan?.after);
  assert.is(next.value?.document.preset, 'eco');
});

test('an export has the rooms, in short forms, after the nodes', () => {
  const documents = accepted({
    'room/study': {
      thermometer: { topic: 't', broker: 'own' },
      outdoor: { topic: 'o', template: 'value', broker: 'own' },
      mode: 'heat',
    },
    'room/attic': {
      filler: { service: 'folding' },
      thermometer: { topic: 't', broker: 'uplink' },
      applied: { x: ['mode'] },
    },
    'room/empty': {},
    'node/n1': { labels: { room: 'attic' } },
  });
  assert.is(
    exportText(documents, { name: 'main', schema: undefined }),
    `version: 1
name: main
nodes:
  n1:
    labels:
      room: attic
rooms:
  attic:
    thermometer:
      topic: t
      broker: uplink
    filler: folding
  study:
    mode: heat
    thermometer: t
    outdoor:
      topic: o
      template: value
`,
  );
});

test.run();
