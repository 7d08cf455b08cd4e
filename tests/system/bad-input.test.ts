/** Hostile and clumsy input over real MQTT: answered or refused with a reason, and everything else undisturbed. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ResultMessage } from '../../shared/schemas/fabric.ts';
import { type Cluster, up } from '../fixture/cluster.ts';
import { connectClient, type Heard, type TestClient } from '../fixture/mqtt-client.ts';

interface Context {
  cluster: Cluster;
  client: TestClient;
  node: string;
}

const input = suite<Context>('bad input');

input.before(async context => {
  context.cluster = await up();
  context.node = context.cluster.ready.node;
  context.client = await connectClient(context.cluster.url, ['hearth/+/+/result', 'hearth/result', 'hearth/+/+/own']);
  // One good service that has to live through everything below, under the same pid.
  assert.ok((await ask(context, 'hearth/node/NODE/set/services/good', 'sleep 1000')).ok);
});
input.after(async context => {
  assert.ok((await ask(context, 'hearth/node/NODE/set/services/good', '')).ok);
  await context.client.close();
  await context.cluster.process.stop();
});

/** Publishes and returns the answer: from the node's result topic, or the fabric's. Others' answers are not taken for it. */
async function ask({ client, node }: Context, topic: string, payload: string | Buffer, retain = false) {
  const mine = `"by":"${client.client.options.clientId}"`;
  const isAnswer = (message: Heard) => message.topic.endsWith('/result') && message.text.includes(mine);
  client.forget();
  await client.publish(topic.replace('NODE', node), payload, { retain });
  const heard = await client.wait(`an answer to ${topic}`, isAnswer);
  return JSON.parse(heard.text) as ResultMessage;
}

interface Own {
  readonly services: Record<string, { readonly run: unknown }>;
}

const nested = (depth: number) => `${'{"services":'.repeat(depth)}1${'}'.repeat(depth)}`;

const refusals: readonly [name: string, topic: string, payload: string | Buffer, reason: RegExp][] = [
  ['broken JSON', 'hearth/node/NODE/set', '{"services":', /JSON/],
  ['JSON of the wrong type', 'hearth/node/NODE/set', '[1,2]', /object/i],
  ['an empty set', 'hearth/node/NODE/set', '', /empty/i],
  ['an unknown key', 'hearth/node/NODE/set', '{"servces":{}}', /unknown key.*servces/],
  ['an unknown key in a topic', 'hearth/node/NODE/set/servces/hello', 'x', /servces/],
  ['a service that is a number', 'hearth/node/NODE/set', '{"services":{"x":7}}', /services\.x/],
  ['an unknown key of a service', 'hearth/node/NODE/set/services/x', '{"run":"true","rnu":1}', /rnu/],
  ['a service without a command', 'hearth/node/NODE/set/services/x', '{"env":{}}', /run/],
  ['broken JSON of a service', 'hearth/node/NODE/set/services/x', '{"run":', /JSON/],
  ['a NUL in a command', 'hearth/node/NODE/set/services/x', 'echo \0', /NUL/],
  ['bytes that are no UTF-8', 'hearth/node/NODE/set/services/x', Buffer.from([0xff, 0xfe, 0x00, 0x80]), /UTF-8/],
  ['50 levels of nesting', 'hearth/node/NODE/set', nested(50), /nested/],
  ['the prototype as a key', 'hearth/node/NODE/set', '{"__proto__":{"polluted":1}}', /__proto__/],
  [
    'the prototype deep down',
    'hearth/node/NODE/set',
    '{"services":{"x":{"run":"y","env":{"\\u005f_proto__":"1"}}}}',
    /proto/,
  ],
  ['a stale revision', 'hearth/node/NODE/set', '{"rev":0,"services":{"x":"true"}}', /rev|stale/i],
  ['a node nobody has seen', 'hearth/node/nosuchnode/set/services/x', 'true', /nosuchnode|not seen|unknown/i],
  ['an id in capitals', 'hearth/node/NODE1UPPER/set/services/x', 'true', /not a node id/],
  ['an id with blanks', 'hearth/node/a b/set/services/x', 'true', /not a node id/],
  ['an id that is too long', `hearth/node/${'n'.repeat(21)}/set/services/x`, 'true', /not a node id/],
  ['a service name with a blank', 'hearth/node/NODE/set/services/a b', 'true', /cannot be a key/],
  ['a set to all nodes', 'hearth/node/all/set/services/x', 'true', /role\/all/],
  ['a set to the nodes of a role', 'hearth/node/@pi/set/services/x', 'true', /role\/pi/],
  ['a verb that is none', 'hearth/node/NODE/do/restrat', '', /restart/],
  ['a verb that comes later', 'hearth/node/NODE/do/suspend', '', /not available yet/],
  ['arguments that are broken JSON', 'hearth/node/NODE/do/follow', '{"service":', /JSON/],
  ['a service that is not there', 'hearth/node/NODE/do/restart', 'nosuch', /nosuch/],
  ['a cluster-wide service', 'hearth/service/web/set', '{"run":"true"}', /not available yet/],
  ['no kind of thing', 'hearth/nodes/x/set', '{}', /no kind of thing/],
  ['a part only the supervisor writes', 'hearth/node/NODE/want', '{}', /supervisor/],
  ['a status somebody forged', 'hearth/node/NODE/status', 'offline', /supervisor/],
  ['telemetry of a node by somebody else', 'hearth/node/NODE/load', '{"node":"x"}', /only/i],
];
for (const [name, topic, payload, reason] of refusals) {
  input(`refused with the reason: ${name}`, async context => {
    const answer = await ask(context, topic, payload);
    assert.is(answer.ok, false, JSON.stringify(answer));
    assert.match(answer.error ?? '', reason);
  });
}

input('too much is refused with the limit named, and the connection lives', async context => {
  const long = await ask(context, 'hearth/node/NODE/set/services/x', Buffer.alloc(250 * 1024, 'x'));
  assert.is(long.ok, false);
  assert.match(long.error ?? '', /at most 16 kB/);
  const huge = await ask(context, 'hearth/node/NODE/set/services/x', Buffer.alloc(1024 * 1024, 'x'));
  assert.is(huge.ok, false);
  assert.match(huge.error ?? '', /at most 256 kB/);
  assert.ok(context.client.client.connected);
  assert.ok((await ask(context, 'hearth/node/NODE/set/services/x', '')).ok);
});

input('values that only look like another type stay the text they are', async context => {
  for (const text of ['1.10', '007', 'true', 'null', '[1]', '"x"', '-']) {
    const answer = await ask(context, 'hearth/node/NODE/set/services/literal', text);
    assert.ok(answer.ok, JSON.stringify(answer));
    // The document of the set before may come after its answer, and so into this round.
    const runOf = ({ text }: Heard) => (JSON.parse(text) as Own).services.literal?.run;
    await context.client.wait(`own with ${text}`, message => message.topic.endsWith('/own') && runOf(message) === text);
  }
  assert.ok((await ask(context, 'hearth/node/NODE/set/services/literal', '')).ok);
});

input('a retained command runs once, and is not kept by the broker', async context => {
  const answer = await ask(context, 'hearth/node/NODE/set/services/once', 'sleep 999', true);
  assert.ok(answer.ok, JSON.stringify(answer));
  const late = await connectClient(context.cluster.url, ['hearth/node/+/set/#', 'hearth/node/+/status']);
  await late.wait('what is retained', message => message.retain && message.topic.endsWith('/status'));
  assert.equal(
    late.heard.filter(message => message.topic.includes('/set/')),
    [],
  );
  await late.close();
  assert.ok((await ask(context, 'hearth/node/NODE/set/services/once', '')).ok);
});

input('topics of binary rubbish disturb nobody', async context => {
  const rude = await connectClient(context.cluster.url);
  for (let byte = 1; byte < 256; byte++) {
    const topic = `hearth/node/${String.fromCodePoint(byte, 0x202e, 0x1f525)}/set`.replace(/[+#]/g, 'x');
    rude.client.publish(topic, Buffer.from([byte, 0, 255]), { qos: 0 });
  }
  assert.is((await ask(context, 'hearth/result-is-not-here/x', 'x')).ok, false);
  assert.ok((await ask(context, 'hearth/node/NODE/set/services/after', 'sleep 999')).ok);
  assert.ok((await ask(context, 'hearth/node/NODE/set/services/after', '')).ok);
  await rude.close();
});

const rssMb = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

input('a flood of a million topics from one client: memory stays bounded, answers keep coming', async context => {
  const [rounds, each] = [10, 100_000];
  const before = rssMb(context.cluster.ready.pid);
  const flood = await connectClient(context.cluster.url);
  const grown: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let index = round * each; index < (round + 1) * each; index++) {
      const kind = index % 3;
      const topic =
        kind === 0 ? `hearth/node/f${index}/set/services/x` : kind === 1 ? `flood/${index}` : `hearth/x${index}`;
      flood.client.publish(topic, 'x', { qos: 0, retain: kind === 1 });
      if (index % 2000 === 0) await new Promise(resolve => setImmediate(resolve));
    }
    // While the supervisor still has most of this round before it.
    const answer = await ask(context, 'hearth/node/NODE/do/restart', 'nosuch');
    assert.match(answer.error ?? '', /nosuch/);
    await flood.publish('flood/end', 'x');
    grown.push(rssMb(context.cluster.ready.pid) - before);
  }
  // How much the heap holds at a moment is V8's to say; that it comes to an end is not. A kilobyte for each of the
  // later half's topics would be 500 MB.
  const [early, late] = [Math.max(...grown.slice(0, rounds / 2)), Math.max(...grown.slice(rounds / 2))];
  const text = `the supervisor grew by ${grown.map(Math.round).join(', ')} MB`;
  console.log(text);
  assert.ok(late - early < 250 && late < 1000, text);
  assert.ok((await ask(context, 'hearth/node/NODE/set/services/good', 'sleep 1000')).ok);
  await flood.close();
});

input('after all of it the good service runs under its first pid', async context => {
  const reader = await connectClient(context.cluster.url, [`hearth/node/${context.node}/is`]);
  const is = await reader.wait('is', message => message.text.includes('services/good'));
  const items = (JSON.parse(is.text) as { items: Record<string, { state: string; restarts?: number }> }).items;
  assert.is(items['services/good']?.state, 'running');
  assert.ok(!items['services/good']?.restarts);
  await reader.close();
});

input.run();
