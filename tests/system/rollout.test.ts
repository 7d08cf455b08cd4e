/** Changes to a role over a real supervisor and real agents: one first, and back by itself. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RoleIs } from '../../shared/schemas/rollout.ts';
import { type Cluster, hearthCommand, startAgent, up } from '../fixture/cluster.ts';
import { connectClient, type Heard, type TestClient } from '../fixture/mqtt-client.ts';
import { folder, freePort, type Started, start } from '../fixture/processes.ts';

const rollout = suite('rollout');

const ids = ['a1', 'a2', 'a3'] as const;
const good = 'echo good; exec sleep 4321';

async function hearth(cluster: Cluster, ...args: readonly string[]): Promise<{ code: number | string; out: string }> {
  const env = { ...process.env, HOME: '/nonexistent', HEARTH_BROKER: cluster.url };
  const started = start(process.execPath, [hearthCommand, ...args], { env });
  const code = await started.ended;
  assert.not.match(started.output(), /^\s+at /m, 'no stack');
  return { code, out: started.output() };
}

const runs = (id: string, run: string) => (message: Heard) => {
  if (message.topic !== `hearth/node/${id}/want` || message.text === '') return false;
  return JSON.parse(message.text).services.x?.run === run;
};
const state = (wanted: RoleIs['state']) => (message: Heard) =>
  message.topic === 'hearth/role/all/is' && message.text !== '' && JSON.parse(message.text).state === wanted;
const well = (id: string, pid?: number) => (message: Heard) => {
  if (message.topic !== `hearth/node/${id}/is`) return false;
  const x = JSON.parse(message.text).items['services/x'];
  return x?.state === 'running' && (pid === undefined || x.pid === pid);
};

async function answered(client: TestClient, path: string, payload: string): Promise<void> {
  const [noun, id] = path.split('/');
  const from = client.heard.length;
  await client.publish(`hearth/${path}`, payload);
  const result = await client.wait(
    `an answer to ${path}`,
    message => message.topic === `hearth/${noun}/${id}/result` && client.heard.indexOf(message) >= from,
  );
  assert.ok(JSON.parse(result.text).ok, result.text);
}

interface Fleet {
  readonly agents: readonly Started[];
  readonly client: TestClient;
}

const filters = ['hearth/node/+/want', 'hearth/node/+/is', 'hearth/node/+/result', 'hearth/role/#', 'hearth/event'];

/** Three nodes, each of which runs `x`. */
async function fleet(cluster: Cluster, healthy_s = 1): Promise<Fleet> {
  const client = await connectClient(cluster.url, filters);
  const agents = ids.map(node => startAgent({ broker: cluster.url, node, flags: ['--stop-services'] }));
  for (const id of ids) await client.wait(`${id} is there`, ({ topic }) => topic === `hearth/node/${id}/is`);
  await answered(client, 'role/all/set', JSON.stringify({ services: { x: good }, rollout: 'off' }));
  for (const id of ids) await client.wait(`${id} runs it`, well(id));
  await answered(client, 'role/all/set/rollout', JSON.stringify({ healthy_s, deadline_s: 60 }));
  return { agents, client };
}

async function end(cluster: Cluster, { agents, client }: Fleet): Promise<void> {
  await client.close();
  for (const code of await Promise.all(agents.map(agent => agent.stop()))) assert.is(code, 0);
  assert.is(await cluster.process.stop(), 0);
}

rollout('a change that makes a service crash is put back on the one node that saw it, and told', async () => {
  const cluster = await up({ flags: ['--no-agent'] });
  // A node tells once a second how it is: one that is held up while `x` happens to run would seem well for longer.
  const all = await fleet(cluster, 30);
  const { client } = all;
  const pids = new Map<string, number>();
  for (const id of ids) {
    const is = client.heard.findLast(well(id));
    pids.set(id, JSON.parse(is?.text ?? '{}').items['services/x'].pid);
  }
  client.forget();
  const bad = 'echo "no such heater" >&2; exit 3';
  await answered(client, 'role/all/set/services/x', bad);
  const begun = await client.wait('it begins', state('rolling'));
  const canary = (JSON.parse(begun.text) as RoleIs).current;
  await client.wait('one node is told', runs(canary, bad));
  const is = await client.wait('it is put back', state('reverted'));
  const { failed, why } = JSON.parse(is.text) as RoleIs;
  assert.is(failed, canary);
  assert.match(why, /^services\/x: crash-loop \(exit 3 .*no such heater/);
  const want = await client.wait('it has what it had', runs(canary, good));
  // Between two crashes `x` ran for a moment, too.
  const back = (message: Heard) => well(canary)(message) && JSON.parse(message.text).rev >= JSON.parse(want.text).rev;
  await client.wait('and runs it', back);
  for (const id of ids.filter(each => each !== canary)) {
    assert.not.ok(client.heard.some(runs(id, bad)), `${id} never saw it`);
    process.kill(pids.get(id) ?? 0, 0);
  }
  const isFailure = ({ topic, text }: Heard) => topic === 'hearth/event' && /rollout-failed/.test(text);
  assert.is(JSON.parse((await client.wait('the event', isFailure)).text).node, canary);

  const listed = await hearth(cluster, 'rollout');
  assert.is(listed.code, 0);
  assert.match(listed.out, /^ROLE +STATE +REV +WELL +FAILED/);
  assert.match(listed.out, new RegExp(`^all +reverted +\\d+ +0/3 +${canary} .*services/x: crash-loop`, 'm'));
  const one = await hearth(cluster, 'rollout', 'all');
  assert.is(one.code, 1, 'what was put back did not work');
  assert.match(one.out, /was put back: all nodes have the document before/);
  assert.match(one.out, new RegExp(`Failed on ${canary}: services/x: crash-loop`));
  const shown = await hearth(cluster, 'rollout', 'all', '--show-failed');
  assert.equal(JSON.parse(shown.out).services, { x: { run: bad } });
  assert.match((await hearth(cluster, 'rollout', 'all', 'pause')).out, /^hearth: Refused: no rollout of this role is/m);
  assert.match((await hearth(cluster, 'rollout', 'none')).out, /^hearth: No change to the role "none" was rolled out/m);
  assert.match((await hearth(cluster, 'rollout', 'all', 'retyr')).out, /did you mean "retry"/);
  await end(cluster, all);
});

rollout('a supervisor that is killed in the middle goes on with it, and every node has it in the end', async () => {
  const mqttPort = await freePort();
  const first = await up({ flags: ['--no-agent'], mqttPort });
  const all = await fleet(first);
  const better = 'echo better; exec sleep 4322';
  await answered(all.client, 'role/all/set/services/x', better);
  const begun = await all.client.wait('it begins', state('rolling'));
  const canary = (JSON.parse(begun.text) as RoleIs).current;
  await all.client.wait('one node is told', runs(canary, better));
  await first.process.stop('SIGKILL');
  await all.client.close();
  const second = await up({ flags: ['--no-agent'], mqttPort, data: first.data });
  const client = await connectClient(second.url, filters);
  await client.wait('it still has it', runs(canary, better));
  for (const id of ids) await client.wait(`${id} has it`, runs(id, better));
  await client.wait('done', state('done'));
  const done = await hearth(second, 'rollout', 'all');
  assert.is(done.code, 0);
  assert.match(done.out, /is done[\s\S]*3 of 3 nodes are well with it\./);
  await end(second, { agents: all.agents, client });
});

rollout('apply --wait ends where a node hears nothing of what changed in a role', async () => {
  const cluster = await up({ flags: ['--no-agent'] });
  const all = await fleet(cluster);
  await answered(all.client, 'node/a1/set/services/x', 'exec sleep 4323');
  const file = join(folder(), 'cluster.yaml');
  const apply = async (run: string, more: object) => {
    const role = { rollout: { healthy_s: 1, ...more }, services: { x: run } };
    writeFileSync(file, JSON.stringify({ version: 1, roles: { all: role } }));
    return await hearth(cluster, 'apply', '-f', file, '--wait', '--timeout', '60');
  };
  const changed = await apply('exec sleep 4324', {});
  assert.is(changed.code, 0, changed.out);
  assert.match(changed.out, /a1: done/);
  const settings = await apply('exec sleep 4324', { batch: 2 });
  assert.is(settings.code, 0, settings.out);
  await end(cluster, all);
});

rollout.run();
