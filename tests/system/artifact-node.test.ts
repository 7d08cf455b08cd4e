/** From a person's file to a node's disk: brought to the supervisor, named in a document, fetched by the node's own identity. */
import * as assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import { hearthCommand, up } from '../fixture/cluster.ts';
import { joiningAgent, lanCluster } from '../fixture/lan-cluster.ts';
import { folder, start, until } from '../fixture/processes.ts';

const suite = describe('artifacts on nodes');
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEARTH_')));

async function hearth(...args: string[]): Promise<string> {
  const run = start(process.execPath, [hearthCommand, ...args], { env });
  assert.equal(await run.ended, 0, run.output());
  return run.output();
}

async function arrives(data: string, url: string, node: string, cache: string): Promise<void> {
  const place = folder();
  const [file, target] = [join(place, 'solver'), join(place, 'on-the-node')];
  const bytes = randomBytes(3_000_000);
  writeFileSync(file, bytes);
  const source = (await hearth('artifact', 'put', '-q', file, '--data', data)).trim();
  const item = JSON.stringify({ path: target, source });
  await hearth('set', node, 'files.solver', item, '--broker', url, '--wait');
  await until('the file is there', () => existsSync(target));
  assert.ok(readFileSync(target).equals(bytes));
  assert.deepEqual(readdirSync(cache), [source.slice('artifact:'.length)]);
}

suite('the supervisor’s own node has it over loopback', async () => {
  const cluster = await up();
  try {
    await arrives(cluster.data, cluster.url, cluster.ready.node, join(cluster.data, 'agent/cache'));
  } finally {
    await cluster.process.stop();
  }
});

suite('a node elsewhere has it by its certificate', async () => {
  const cluster = await lanCluster();
  const agent = joiningAgent({ flags: ['--token', await cluster.token('--node', 'far')] });
  try {
    await cluster.watcher.wait(
      'far is online',
      ({ topic, text }) => topic === 'hearth/node/far/status' && text === 'online',
    );
    await arrives(cluster.data, cluster.url, 'far', join(agent.data, 'cache'));
  } finally {
    await agent.stop();
    await cluster.stop();
  }
});

suite.run();
