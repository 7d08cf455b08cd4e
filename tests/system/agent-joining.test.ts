/** The built agent joins the built supervisor by TLS: with a token, by approval, with a wrong clock, revoked, copied, moved. */
import { X509Certificate } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { agentBundle, agentNode, hearthCommand } from '../fixture/cluster.ts';
import { joiningAgent, type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import type { Heard } from '../fixture/mqtt-client.ts';
import { stateOf } from '../fixture/node-heat-rig.ts';
import { folder, freePort, start, until } from '../fixture/processes.ts';

const joining = suite<{ cluster: LanCluster }>('agent joining');

const json = (message: Heard) => JSON.parse(message.text) as Record<string, unknown>;
const status = (node: string, is: string) => (message: Heard) =>
  message.topic === `hearth/node/${node}/status` && message.text === is;
const online = (cluster: LanCluster, node: string) => cluster.watcher.wait(`${node} is online`, status(node, 'online'));
/** Told late by a supervisor that stood still for a second, and never where the node is back before: so it is waited for. */
const offline = (cluster: LanCluster, node: string) =>
  cluster.watcher.wait(`${node} is offline`, status(node, 'offline'));
const running = (node: string) => (message: Heard) =>
  message.topic === `hearth/node/${node}/is` && /"services\/mark":\{[^}]*"running"/.test(message.text);
const pidOf = (message: Heard) =>
  (json(message).items as Record<string, { pid: number }>)['services/mark']?.pid ?? Number.NaN;
const runsStill = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

joining.before(async context => {
  context.cluster = await lanCluster();
});

joining.after(({ cluster }) => cluster.stop());

joining(
  'a token in its folder is all it takes; the token goes, what is secret is 0600, and a restart needs nothing',
  async ({ cluster }) => {
    const data = folder('hearth-agent-');
    writeFileSync(join(data, 'join-token'), `${await cluster.token()}\n`, { mode: 0o600 });
    const agent = joiningAgent({ data, flags: ['--node', 't1'] });
    await online(cluster, 't1');
    await until('the token is gone', () => !existsSync(join(data, 'join-token')));
    assert.not(/hearth1\.|PRIVATE/.test(agent.output()));
    for (const name of readdirSync(data).filter(name => /\.(pem|json)$/.test(name))) {
      assert.is(statSync(join(data, name)).mode & 0o777, 0o600, name);
    }
    const certificate = new X509Certificate(agent.membership().cert);
    assert.match(certificate.subject, /^CN=t1$/m);
    assert.match(certificate.subjectAltName ?? '', new RegExp(`urn:hearth:${cluster.fingerprint}:node:t1`));
    assert.match(agent.membership().brokers[0] ?? '', /^mqtts:\/\//);
    await agent.stop('SIGKILL');
    await offline(cluster, 't1');
    cluster.watcher.forget();
    const again = joiningAgent({ data });
    await online(cluster, 't1');
    assert.is(await again.stop(), 0);
  },
);

joining('asked without a token it shows a code, keeps it over a restart, and is let in by it', async ({ cluster }) => {
  const flags = ['--supervisor', `127.0.0.1:${cluster.ready.http}`, '--node', 'p1'];
  const agent = joiningAgent({ flags });
  const [, code = ''] = await agent.line(/hearth: waiting to be approved as (\S+):/);
  await agent.stop('SIGKILL');
  const again = joiningAgent({ data: agent.data, flags });
  await again.line(new RegExp(`waiting to be approved as ${code}:`));
  const note = JSON.parse(readFileSync(join(agent.data, 'join.json'), 'utf8'));
  assert.equal([note.state, note.code], ['pending', code]);
  assert.match(await cluster.hearth('nodes', '--pending', '--data', cluster.data), new RegExp(code));
  await cluster.hearth('approve', code, '--data', cluster.data);
  await online(cluster, 'p1');
  await again.stop();
});

for (const [name, shift] of [
  ['1970', 'const start = Date.now(); const real = Date.now; Date.now = () => real() - start + 60_000;'],
  ['2099', 'const real = Date.now; Date.now = () => real() + 73 * 365 * 86_400_000;'],
] as const) {
  joining(`a machine whose clock says ${name} joins, comes back, and tells how far it is off`, async ({ cluster }) => {
    const node = `clock-${name}`;
    const preload = join(folder(), 'shift.mjs');
    writeFileSync(preload, shift);
    const agent = joiningAgent({ preload, flags: ['--token', await cluster.token(), '--node', node] });
    const off = (message: Heard) =>
      message.topic === `hearth/node/${node}/info` &&
      Math.abs(Number(json(message).clock_off_ms)) > 50 * 365 * 86_400_000;
    await cluster.watcher.wait('the offset', off);
    await agent.line(/clock is \d+ days (behind|ahead of) the supervisor's/);
    await agent.stop('SIGKILL');
    await offline(cluster, node);
    cluster.watcher.forget();
    const again = joiningAgent({ data: agent.data, preload });
    await online(cluster, node);
    await again.stop();
  });
}

joining('a supervisor of another cluster at the same address is told nothing', async ({ cluster }) => {
  const token = await cluster.token();
  const other = await lanCluster();
  const wrong = token.replace(/@.*/, `@127.0.0.1:${other.ready.http}`);
  const agent = joiningAgent({ flags: ['--token', wrong, '--node', 'x1'] });
  await agent.line(new RegExp(`this is the supervisor of cluster ${other.fingerprint}, not of ${cluster.fingerprint}`));
  await agent.stop();
  // One that has joined, and whose supervisor's address is another one's now.
  const member = joiningAgent({ flags: ['--token', token, '--node', 'x1'] });
  await online(cluster, 'x1');
  await member.stop();
  const file = join(member.data, 'membership.json');
  const kept = JSON.parse(readFileSync(file, 'utf8'));
  const { port } = new URL(kept.brokers[0]);
  const tls = /mqtts:\/\/THIS-MACHINE:(\d+)/.exec(other.process.output())?.[1];
  assert.not.equal(tls, port);
  writeFileSync(file, JSON.stringify({ ...kept, brokers: [`mqtts://127.0.0.1:${tls}`], supervisor: '127.0.0.1:1' }));
  const lost = joiningAgent({ data: member.data });
  await lost.line(/is not this cluster's: its certificate is not signed by this cluster's CA/);
  assert.not(other.watcher.heard.some(message => message.topic.includes('/x1/')));
  await lost.stop();
  await other.stop();
});

joining('with the address of its broker dead it takes the next one', async ({ cluster }) => {
  const agent = joiningAgent({ flags: ['--token', await cluster.token(), '--node', 'f1'] });
  await online(cluster, 'f1');
  await agent.stop();
  await offline(cluster, 'f1');
  const file = join(agent.data, 'membership.json');
  const kept = JSON.parse(readFileSync(file, 'utf8'));
  const dead = `mqtts://127.0.0.1:${await freePort()}`;
  writeFileSync(file, JSON.stringify({ ...kept, brokers: [dead, ...kept.brokers] }));
  cluster.watcher.forget();
  const again = joiningAgent({ data: agent.data });
  await online(cluster, 'f1');
  await again.stop();
});

joining(
  'revoked: one sentence and no loop, its services run on; a token for it brings it back, the same process with it',
  async ({ cluster }) => {
    const agent = joiningAgent({ flags: ['--token', await cluster.token(), '--node', 'r1'] });
    await online(cluster, 'r1');
    await cluster.watcher.publish('hearth/node/r1/set/services/mark', 'exec sleep 600');
    const pid = pidOf(await cluster.watcher.wait('it runs', running('r1')));
    await cluster.hearth('revoke', 'r1', '--data', cluster.data);
    await agent.line(/the supervisor refuses this node \(.*revoked.*next attempt in 10 min/);
    await offline(cluster, 'r1');
    assert.ok(runsStill(pid));
    // A restart is no way round, and says the same at once.
    await agent.stop();
    const again = joiningAgent({ data: agent.data });
    await again.line(/the supervisor refuses this node/);
    assert.is(again.output().match(/refuses this node/g)?.length, 1);
    cluster.watcher.forget();
    const token = await cluster.token('--node', 'r1');
    const adopt = start(agentNode, [agentBundle, 'adopt', '-', '--data', agent.data], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    adopt.child.stdin?.end(token);
    assert.is(await adopt.ended, 0, adopt.output());
    await online(cluster, 'r1');
    assert.is(pidOf(await cluster.watcher.wait('it runs', running('r1'))), pid);
    again.child.kill('SIGTERM');
    await again.ended;
    process.kill(pid);
  },
);

joining('a token for it that comes before it knows that it was revoked brings it back, too', async ({ cluster }) => {
  const agent = joiningAgent({ flags: ['--token', await cluster.token(), '--node', 'r2'] });
  await online(cluster, 'r2');
  // Stopped, it hears of the token first.
  agent.child.kill('SIGSTOP');
  await cluster.hearth('revoke', 'r2', '--data', cluster.data);
  await cluster.hearth('adopt', await cluster.token('--node', 'r2'), '--data', agent.data);
  await offline(cluster, 'r2');
  cluster.watcher.forget();
  agent.child.kill('SIGCONT');
  await online(cluster, 'r2');
  assert.not(existsSync(join(agent.data, 'join-token')));
  await agent.stop();
});

joining(
  'a folder that was copied to another machine joins as another node, and the first one stays',
  async ({ cluster }) => {
    const agent = joiningAgent({ flags: ['--token', await cluster.token(), '--node', 'c1'] });
    await online(cluster, 'c1');
    const copy = folder('hearth-agent-');
    // It writes files beside and renames them: what is listed has to be there still.
    agent.child.kill('SIGSTOP');
    await until('it is stopped', () => stateOf(agent.pid) === 'T');
    cpSync(agent.data, copy, { recursive: true });
    agent.child.kill('SIGCONT');
    rmSync(join(copy, 'agent.lock'), { force: true });
    const file = join(copy, 'membership.json');
    const kept = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...kept, machine: { id: 'f'.repeat(64), macs: ['aa:aa:aa:aa:aa:aa'] } }));
    cluster.watcher.forget();
    const clone = joiningAgent({ data: copy });
    await clone.line(/this folder is a copy of node \\"c1\\"/);
    // Its file goes and comes again: it is read when it is there to stay.
    const another = await cluster.watcher.wait(
      'it is online as another',
      ({ topic, text }) => /\/node\/(?!c1\/)[^/]+\/status$/.test(topic) && text === 'online',
    );
    assert.is(another.topic, `hearth/node/${clone.membership().node}/status`);
    for (const name of ['node-key.pem', 'seal-key.pem']) {
      assert.not.equal(readFileSync(join(copy, name), 'utf8'), readFileSync(join(agent.data, name), 'utf8'), name);
    }
    assert.not(existsSync(join(copy, 'former.json')));
    assert.not(cluster.watcher.heard.some(status('c1', 'offline')));
    await clone.stop();
    await agent.stop();
  },
);

joining(
  'adopted: a token that is refused changes nothing; one that is good moves it, and what the old cluster started ends',
  async ({ cluster }) => {
    const other = await lanCluster();
    const first = await cluster.token();
    const agent = joiningAgent({ flags: ['--token', first, '--node', 'm1'] });
    await online(cluster, 'm1');
    await cluster.watcher.publish('hearth/node/m1/set/services/mark', 'exec sleep 600');
    const pid = pidOf(await cluster.watcher.wait('it runs', running('m1')));
    const adopt = async (token: string) => {
      const run = start(process.execPath, [hearthCommand, 'adopt', token, '--data', agent.data]);
      assert.is(await run.ended, 0, run.output());
    };
    const bad = await other.token();
    await other.hearth('token', 'revoke', bad.split('.')[2] ?? '', '--data', other.data);
    await adopt(bad);
    await agent.line(/hearth: This join token is not known/);
    assert.ok(runsStill(pid));
    await adopt(await other.token());
    await online(other, 'm1');
    assert.not(runsStill(pid), 'stopped before it moved');
    await offline(cluster, 'm1');
    await agent.stop();
    await offline(other, 'm1');
    other.watcher.forget();
    // The first token still stands in its start script.
    const again = joiningAgent({ data: agent.data, flags: ['--token', first] });
    await online(other, 'm1');
    await again.stop();
    await other.stop();
  },
);

joining('a new CA reaches a node that is connected and one that was away; both renew by it', async ({ cluster }) => {
  const agents = [];
  for (const node of ['k1', 'k2']) {
    agents.push(joiningAgent({ flags: ['--token', await cluster.token(), '--node', node] }));
    await online(cluster, node);
  }
  const [here, away] = agents;
  if (!here || !away) throw new Error('two agents');
  await away.stop();
  await offline(cluster, 'k2');
  const { serial } = here.membership();
  const before = new X509Certificate(here.membership().cert);
  await cluster.hearth('ca', 'rotate', '--data', cluster.data);
  const followed = (agent: typeof here) => {
    const { serial: now, ca, cert } = agent.membership() as ReturnType<typeof agent.membership> & { ca: string[] };
    return now > serial && new X509Certificate(cert).verify(new X509Certificate(ca[0] ?? '').publicKey);
  };
  await until('the connected one has followed', () => followed(here), 90_000);
  assert.not.equal(new X509Certificate(here.membership().cert).serialNumber, before.serialNumber);
  cluster.watcher.forget();
  const back = joiningAgent({ data: away.data });
  await online(cluster, 'k2');
  await until('the other one has followed', () => followed(back), 120_000);
  await back.stop();
  await here.stop();
});

joining.run();
