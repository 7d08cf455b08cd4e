/** What a command knows of the cluster is whole, or it does nothing; and what is wrong is told before anything is sent. */
import { EventEmitter } from 'node:events';
import type { MqttClient } from 'mqtt';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readClusterFile } from '../../cli/apply/cluster-file.ts';
import type { Document, NounPath } from '../../cli/apply/document.ts';
import { problemOf, rolesOfNobody, strangers } from '../../cli/apply/judge.ts';
import { type Accepted, planNoun } from '../../cli/apply/plan.ts';
import { outlook } from '../../cli/apply/simulate.ts';
import { gatherDocuments } from '../../cli/documents.ts';

const test = suite('apply: gathering and judging');

const want = JSON.stringify({ cluster: 'a'.repeat(32), key: 'k', gen: 0, rev: 3, node: 'n1', services: {} });
const own = '{"services":{"x":{"run":"y"}},"later":{"z":1},"rev":3}';

/** A broker that serves these messages, and then whatever `push` is given. */
function broker(messages: readonly (readonly [string, string])[]) {
  const client = new EventEmitter();
  const push = (topic: string, payload: string) =>
    client.emit('message', `hearth/${topic}`, Buffer.from(payload), { retain: true });
  const fake = Object.assign(client, {
    async subscribeAsync() {
      for (const [topic, payload] of messages) push(topic, payload);
    },
    async unsubscribeAsync() {},
  });
  return { client: fake as unknown as MqttClient, push };
}
const quickly = { quietMs: 20, longestMs: 60 };

test('documents, wants and who is online, until the supervisor’s own status; unknown keys stay', async () => {
  const { client } = broker([
    ['role/web/own', '{"services":{},"rev":2}'],
    ['node/n1/own', own],
    ['node/n1/want', want],
    ['node/n1/status', 'online'],
    ['node/n2/own', 'no json'],
    ['job/n1/own', own],
    ['status', 'online'],
  ]);
  const { documents, wants, known } = await gatherDocuments(client, 'hearth');
  assert.equal(Object.fromEntries(documents), {
    'role/web': { document: { services: {} }, rev: 2 },
    'node/n1': { document: { services: { x: { run: 'y' } }, later: { z: 1 } }, rev: 3 },
  });
  assert.equal([...wants.keys()], ['n1']);
  assert.equal([known.supervisor, known.nodes.get('n1')?.online], ['online', true]);
});

test('a document without its other half is waited for', async () => {
  const { client, push } = broker([
    ['node/n1/want', want],
    ['status', 'online'],
  ]);
  let done = false;
  const gathered = gatherDocuments(client, 'hearth').then(found => {
    done = true;
    return found;
  });
  await new Promise(resolve => setImmediate(resolve));
  assert.is(done, false);
  push('node/n1/own', own);
  assert.equal([...(await gathered).documents.keys()], ['node/n1']);
});

test('one that never becomes whole is an error, and one that was forgotten meanwhile is none', async () => {
  const half = broker([
    ['node/n1/own', own],
    ['status', 'online'],
  ]);
  try {
    await gatherDocuments(half.client, 'hearth', quickly);
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /did not come whole/);
  }
  const forgotten = broker([
    ['node/n1/own', own],
    ['node/n1/own', ''],
    ['role/web/own', '{"rev":1}'],
    ['role/web/own', ''],
    ['status', 'online'],
  ]);
  assert.is((await gatherDocuments(forgotten.client, 'hearth', quickly)).documents.size, 0);
});

test('where no supervisor ever was, silence is the end', async () => {
  const { known } = await gatherDocuments(broker([]).client, 'hearth', quickly);
  assert.is(known.supervisor, undefined);
});

const read = (text: string) => readClusterFile({ text: `version: 1\n${text}`, file: 'c.yaml', folder: '/' });

test('a node that nobody knows is named at its place, with the nearest one', async () => {
  const documents = new Map([['node/cellar', { document: {}, rev: 1 }]] as const);
  const file = await read('roles: {cellar: {}}\nnodes:\n  cellar: {}\n  celar: {}\n  other-one: {}\n');
  assert.equal(strangers(file, documents), [
    'c.yaml:5:3: there is no node "celar": did you mean "cellar"?',
    'c.yaml:6:3: there is no node "other-one": "hearth nodes" lists them',
  ]);
});

test('a role that no node has is a warning; every node has "all"', async () => {
  const documents = new Map<NounPath, Accepted>([['node/n1', { document: { roles: ['web'] }, rev: 1 }]]);
  const file = await read('roles:\n  all: {}\n  web: {}\n  db: {}\n');
  assert.equal(rolesOfNobody(file, outlook({ documents, wants: new Map() }, [])), [
    'c.yaml:5:3: no node has the role "db" yet',
  ]);
});

const options = { name: 'main', prune: false, adopt: false };
const plan = (own: Document, said: Document) => planNoun('role/web', { document: own, rev: 1 }, said, options);

test('what the supervisor would refuse is told: too many books, too many items, too long a message', () => {
  const books = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`f${index}`, ['services/a']]));
  const service = { services: { new: { run: 'x' } } };
  assert.match(problemOf(plan({ applied: books }, service)) ?? '', /^role\/web: applied: at most 16 files applied/);
  assert.is(problemOf(plan({}, service)), undefined);
  const many = (count: number, run: string) => ({
    services: Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, { run }])),
  });
  assert.match(problemOf(plan(many(150, 'x'), many(201, 'x'))) ?? '', /services: at most 200 services/);
  assert.match(
    problemOf(plan({}, many(20, 'x'.repeat(14_000)))) ?? '',
    /27\d kB, but a message may have at most 256 kB/,
  );
});

test.run();
