/** A node's key was stolen. Everything that its certificate opens is walked through: it can hurt that node only. */
import { randomBytes, sign } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Is } from '../../shared/schemas/observed.ts';
import { contract } from '../fixture/access-contract.ts';
import { ask, asStranger, greet, type Identity, steal, tlsPortOf, wireTls, wireWeb } from '../fixture/attacker.ts';
import { requester } from '../fixture/certificates.ts';
import { type JoiningAgent, joiningAgent, type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import { connectClient, type Heard } from '../fixture/mqtt-client.ts';
import { endAll, type Wire } from './mqtt/wire.ts';

const attack = suite('attack: a stolen node key');
const refused = 0x87;
let cluster: LanCluster;
let victim: JoiningAgent;
let key: Identity;

const online = (node: string) =>
  cluster.watcher.wait(`${node} is online`, m => m.topic === `hearth/node/${node}/status` && m.text === 'online');
const wire = async (more: object = {}): Promise<Wire> => {
  const opened = await wireTls(tlsPortOf(cluster), key);
  assert.is(await greet(opened, { clientId: 'hearth-n1', ...more }), 0);
  return opened;
};
/** The other node has said something since, and was never said to be gone. */
async function victimLives(): Promise<void> {
  const { heard } = cluster.watcher;
  const from = heard.length;
  await cluster.watcher.wait('n2 goes on', m => m.topic === 'hearth/node/n2/load' && heard.indexOf(m) >= from);
  const words = heard.filter(({ topic }) => topic === 'hearth/node/n2/status').map(({ text }) => text);
  assert.not(words.slice(words.indexOf('online')).includes('offline'));
}
/** Of the service on the other node, where it runs by this message. */
function pidOnN2({ topic, text }: Heard): number | undefined {
  const web = topic === 'hearth/node/n2/is' ? (JSON.parse(text) as Is).items['services/web'] : undefined;
  return web?.state === 'running' ? web.pid : undefined;
}
/** What the contract says of n1, and the same of n2. */
const rows = contract.flatMap(([topic, writers, readers]) => {
  const own = { topic, writes: writers.includes('own'), reads: readers.includes('own') };
  if (!topic.startsWith('hearth/node/n1/')) return [own];
  return [own, { topic: topic.replace('/n1/', '/n2/'), writes: false, reads: false }];
});

attack.before(async () => {
  cluster = await lanCluster();
  victim = joiningAgent({ flags: ['--token', await cluster.token(), '--node', 'n2'] });
  const robbed = joiningAgent({ flags: ['--token', await cluster.token(), '--node', 'n1'] });
  await online('n1');
  await online('n2');
  key = steal(robbed);
  await robbed.stop('SIGKILL');
});
attack.after(async () => {
  endAll();
  await victim?.stop();
  await cluster?.stop();
});

attack('it writes its own parts and nothing else: live, retained, at any QoS', async () => {
  const thief = await wire();
  for (const [index, { topic, writes }] of rows.entries()) {
    for (const retain of [false, true]) {
      const mark = `stolen ${index} ${retain}`;
      assert.is(await thief.publish(topic, mark, retain), writes ? 0 : refused, topic);
    }
    thief.send(thief.publishPacket(topic, `stolen ${index} qos 0`, 0, true));
  }
  await thief.heard();
  const late = await connectClient(cluster.url, ['#']);
  await late.publish('elsewhere/end', 'end');
  await late.wait('what is retained', ({ topic }) => topic === 'elsewhere/end');
  const own = rows.filter(({ writes }) => writes).map(({ topic }) => topic);
  // On a connection of its own: what the late one has heard says nothing of it.
  await cluster.watcher.wait('the last of its own', m => m.topic === own.at(-1) && m.text.endsWith('qos 0'));
  const got = [...cluster.watcher.heard, ...late.heard].filter(({ text }) => text.startsWith('stolen '));
  assert.ok(got.length >= own.length * 2, 'its own arrive');
  assert.equal(
    [...new Set(got.map(({ topic }) => topic))].filter(topic => !own.includes(topic)),
    [],
  );
  await late.close();
  thief.end();
  await victimLives();
});

attack('it reads what the supervisor sends to it, and no wildcard brings more, live or retained', async () => {
  const secret = 'for nobody but n2';
  await cluster.watcher.publish(
    'hearth/node/n2/set/services/web',
    JSON.stringify({ run: 'sleep 600', env: { A: secret } }),
  );
  await cluster.watcher.publish('elsewhere/letter', secret, { retain: true });
  const first = pidOnN2(await cluster.watcher.wait('n2 has it', m => pidOnN2(m) !== undefined));
  const thief = await wire();
  for (const { topic, reads } of rows) {
    const [granted = 0] = await thief.subscribe(topic);
    assert.is(granted < 0x80, reads, topic);
  }
  for (const filter of ['#', '+/#', 'hearth/#', 'hearth/node/+/+', 'hearth/node/n2/#', '+/+/+/want', 'elsewhere/+']) {
    await thief.subscribe(filter);
  }
  for (const filter of ['$SYS/#', '$share/g/#', '$queue/#', '$share/g/hearth/node/n2/want']) {
    assert.ok(((await thief.subscribe(filter))[0] ?? 0) >= 0x80, filter);
  }
  await cluster.watcher.publish('hearth/node/n2/set/services/web/env/A', `${secret} again`);
  await cluster.watcher.publish('hearth/node/n2/do/restart', 'web');
  await cluster.watcher.publish('elsewhere/letter', secret);
  // By its pid: it may have been restarted, and have said so, while the letter was on its way.
  await cluster.watcher.wait('n2 was restarted', m => ![undefined, first].includes(pidOnN2(m)));
  // Its own document comes: the line is open.
  await cluster.watcher.publish('hearth/node/n1/set/services/web', 'sleep 700');
  await thief.find(
    'its own want',
    ({ topic, payload }) => topic === 'hearth/node/n1/want' && `${payload}`.includes('700'),
  );
  const topics = [...new Set((await thief.heard()).map(({ topic }) => topic))];
  const may = rows.filter(({ reads }) => reads).map(({ topic }) => topic);
  assert.equal(
    topics.filter(topic => !may.includes(topic ?? '')),
    [],
  );
  assert.not(thief.texts.some(text => text.includes(secret)));
  thief.end();
});

attack('no will of it says that another node is gone', async () => {
  const birth = cluster.watcher.heard.findLast(m => m.topic === 'hearth/node/n2/load');
  await cluster.watcher.publish('hearth/node/n2/do/rebirth', '');
  const { text } = await cluster.watcher.wait(
    'its birth',
    m => m.topic === 'hearth/node/n2/lwt' && m.text.includes('true'),
  );
  assert.ok(birth !== undefined || text !== '');
  const gone = JSON.stringify({ ...JSON.parse(text), online: false });
  for (const [topic, payload] of [
    ['hearth/node/n2/lwt', gone],
    ['hearth/node/n2/status', 'offline'],
    ['hearth/status', 'offline'],
    ['hearth/node/n2/want', '{}'],
    ['hearth/node/n2/set', '{"services":null}'],
    ['elsewhere/x', 'stolen will'],
  ] as const) {
    const will = { topic, payload: Buffer.from(payload), qos: 1 as const, retain: true };
    const thief = await wire({ will });
    cluster.watcher.forget();
    thief.end();
    // Its connection's end is known once its id is free, and wills go out before that.
    const next = await wire();
    await next.publish('hearth/node/n1/heartbeat', '{}');
    await cluster.watcher.wait('the line is in order', m => m.topic === 'hearth/node/n1/heartbeat');
    assert.not(
      cluster.watcher.heard.some(m => m.topic === topic && m.text === payload),
      topic,
    );
    next.end();
  }
  const real = await wire({
    will: { topic: 'hearth/node/n1/lwt', payload: Buffer.from('its own'), qos: 1, retain: false },
  });
  real.end();
  await cluster.watcher.wait('its own will', m => m.topic === 'hearth/node/n1/lwt' && m.text === 'its own');
  await victimLives();
});

attack('it is nobody else: no other client id, name, password, or kept session', async () => {
  const kept = await connectClient(cluster.url, ['elsewhere/#'], { clientId: 'kept-by-owner', clean: false });
  await kept.close();
  const ids = [
    'hearth-n2',
    'hearth-',
    'hearth',
    'HEARTH-n1',
    'hearth-n1 ',
    'hearth-n1/n2',
    'kept-by-owner',
    'a',
    'hearth-n11',
  ];
  for (const clientId of ids) {
    for (const more of [{}, { username: 'owner', password: Buffer.from('x') }, { clean: false }]) {
      const thief = await wireTls(tlsPortOf(cluster), key);
      assert.ok((await greet(thief, { clientId, ...more })) !== 0, `${clientId} ${JSON.stringify(more)}`);
    }
  }
  await victimLives();
});

attack('over HTTPS and WebSocket it is that node, too', async () => {
  const identity = key;
  const status = async (path: string, more: object = {}) =>
    (await ask(cluster, path, { identity, headers: { 'x-forwarded-for': 'a' }, ...more })).status;
  for (const path of ['/', '/index.html', '/api/fleet', '/api/fleet/stream']) assert.is(await status(path), 403, path);
  assert.is(await status('/api/me'), 200);
  // It may leave what its tasks made, and nothing under another hash than its own.
  const hash = 'ab'.repeat(32);
  assert.is(await status(`/artifacts/${hash}`, { method: 'PUT', body: 'x' }), 400);
  assert.is(await status(`/artifacts/${hash}`), 404);
  assert.is(await status(`/artifacts/${hash}/upload`, { method: 'PATCH', body: 'x' }), 400);
  const verbs = ['token.create', 'join.approve', 'node.revoke', 'user.add', 'api.create', 'backup.take', 'audit.tail'];
  for (const verb of [...verbs, 'ca.show', 'node.list', 'secret.key', 'no.such']) {
    assert.is(await status(`/api/trust/${verb}`, { body: {} }), 403, verb);
  }
  const open = async (clientId: string): Promise<Wire> => {
    const web = await wireWeb(cluster, { identity });
    if (typeof web === 'number') throw new Error(`refused with ${web}`);
    assert.is((await greet(web, { clientId })) === 0, clientId === 'hearth-n1', clientId);
    return web;
  };
  await open('hearth-n2');
  const web = await open('hearth-n1');
  assert.is(await web.publish('hearth/node/n2/set/services/web', ''), refused);
  cluster.watcher.forget();
  assert.is(await web.publish('hearth/node/n1/heartbeat', 'by web'), 0);
  await cluster.watcher.wait('its own', m => m.text === 'by web');
  assert.not(cluster.watcher.heard.some(m => m.topic === 'hearth/node/n2/set/services/web'));
});

attack(
  'as a copied folder it brings in a few more nodes and no other’s id; they are named when it is revoked',
  async () => {
    const facts = { hostname: 'n2', macs: '02:00:00:00:00:02', os: 'x', arch: 'x64', ver: '1' };
    const { csr: theirs } = await requester();
    const proofOf = (csr: string) =>
      sign('sha256', Buffer.from(`hearth/clone\n${csr}`), { key: key.key, dsaEncoding: 'ieee-p1363' }).toString(
        'base64url',
      );
    const join = async (csr: string, proof: string) => {
      const body = {
        ...{ proto: 1, csr, seal_key: randomBytes(65).toString('base64url'), inst: randomBytes(8).toString('hex') },
        ...{ node: 'n2', facts, clone_of: { cert: key.cert, proof } },
      };
      const { status, body: text } = await ask(cluster, '/join', { body, headers: asStranger });
      return { status, node: (JSON.parse(text) as { node?: string }).node };
    };
    const got = [];
    for (let round = 0; round < 12; round++) {
      const { csr } = await requester();
      got.push(await join(csr, proofOf(csr)));
    }
    const copies = got.flatMap(({ status, node = '' }) => (status === 200 ? [node] : []));
    assert.ok(copies.length > 0 && copies.length <= 8, `${copies.length} in a day`);
    assert.ok(
      got.slice(copies.length).every(({ status }) => status === 202),
      'the others wait for a person',
    );
    assert.not(copies.includes('n1') || copies.includes('n2'));
    assert.is(new Set(copies).size, copies.length);
    assert.is((await join(theirs, proofOf('another request'))).status, 403);
    const said = await cluster.hearth('revoke', 'n1', '--data', cluster.data);
    for (const copy of copies) assert.ok(said.includes(copy), copy);
    const { csr } = await requester();
    assert.is((await join(csr, proofOf(csr))).status, 403);
  },
);

attack.run();
