/**
 * `npm pack` gives a tarball that installs globally and runs. Runs alone: npm builds dist again, of which everybody
 * runs something.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { plainEnvironment } from '../fixture/clone.ts';
import { folder, start, until } from '../fixture/processes.ts';

const root = join(import.meta.dirname, '../..');
const pack = suite<{ tarball: string; prefix: string; env: NodeJS.ProcessEnv }>('pack');

async function npm(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const run = start('npm', args, { cwd: root, env });
  const how = await run.ended;
  assert.is(how, 0, run.output());
  return run.output();
}

pack.before(context => {
  context.env = plainEnvironment(folder());
});

pack('npm pack makes it', async context => {
  const place = folder();
  await npm(['pack', '--pack-destination', place], context.env);
  const [name = ''] = readdirSync(place);
  assert.match(name, /^hearth-\d+\.\d+\.\d+\.tgz$/);
  context.tarball = join(place, name);
});

pack('it holds what runs and what explains it, and no sources or tests', async ({ tarball }) => {
  const list = start('tar', ['-tzf', tarball]);
  assert.is(await list.ended, 0);
  const files = list.output().trim().split('\n');
  for (const file of ['dist/hearth.js', 'dist/agent.js', 'dist/dashboard/index.html', 'README.md', 'LICENSE']) {
    assert.ok(files.includes(`package/${file}`), file);
  }
  // What agents read only when it is needed.
  assert.ok(files.some(file => /^package\/dist\/agent-parts\/[\w-]+\.js$/.test(file)));
  const links = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)];
  assert.ok(links.length > 5);
  for (const [, path] of links) assert.ok(files.includes(`package/${path}`), `README's ${path}`);
  assert.equal(
    files.filter(file => /^package\/(tests|broker|node-agent|cli|shared)\//.test(file)),
    [],
  );
});

pack('npm i -g installs it without install scripts', async context => {
  context.prefix = folder();
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await npm(['install', '-g', '--prefix', context.prefix, context.tarball, ...quiet], context.env);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const said = start(join(context.prefix, 'bin/hearth'), ['--version'], { env: context.env });
  assert.is(await said.ended, 0);
  assert.is(said.output(), `${version}\n`);
});

pack('hearth up runs from it, with dashboard and local node', async ({ prefix, env }) => {
  const readyFile = join(folder(), 'ready.json');
  const flags = ['--data', folder(), '--mqtt-port', '0', '--http-port', '0', '--node', 'n1', '--ready-file', readyFile];
  const running = start(join(prefix, 'bin/hearth'), ['up', ...flags], { env, cwd: folder() });
  await until('it is up', () => existsSync(readyFile)).catch(error =>
    assert.unreachable(`${error}${running.output()}`),
  );
  const ready = JSON.parse(readFileSync(readyFile, 'utf8')) as { mqtt: number; http: number; node: string };
  assert.is(ready.node, 'n1');
  assert.match(await (await fetch(`http://127.0.0.1:${ready.http}/`)).text(), /<title>/);
  await until('its node has told its state', async () => {
    const nodes = start(join(prefix, 'bin/hearth'), ['nodes', '--broker', `mqtt://127.0.0.1:${ready.mqtt}`], { env });
    assert.is(await nodes.ended, 0, nodes.output());
    return /^n1 +(init|ready)/m.test(nodes.output());
  });
  assert.is(await running.stop(), 0);
});

pack.run();
