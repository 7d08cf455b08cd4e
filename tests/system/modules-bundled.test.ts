/** The worker's program is the text of functions: it has to stand by itself after the bundler has been at them, too. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
// @ts-expect-error It is JavaScript, and says no types.
import { agentBundle } from '../../deploy/agent-bundle.mjs';
import { ModulesRig } from '../fixture/modules-rig.ts';
import { folder } from '../fixture/processes.ts';

const bundled = suite('modules bundled');

bundled('plugins and inline code run from the minified bundle', async () => {
  const outdir = folder('hearth-modules-bundle-');
  const entry = join(import.meta.dirname, '../../node-agent/work/executor/modules/index.ts');
  await build({
    ...agentBundle,
    ...{ entryPoints: { modules: entry }, outdir, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' },
    outExtension: { '.js': '.mjs' },
  });
  const { createModuleRunners: create } = await import(pathToFileURL(join(outdir, 'modules.mjs')).href);
  const rig = new ModulesRig({ create });
  rig.plugin('one.mjs', 'export default (data, ctx) => { ctx.log("x"); ctx.save(new Uint8Array(1)); return data + 1 }');
  assert.equal(await rig.one({ plugin: 'one' }, 1), { value: 2, errout: 'x\n' });
  assert.equal(
    await rig.one({ code: 'export default data => { setTimeout(() => {}, 1); return [data, typeof process] }' }, 1),
    {
      value: [1, 'undefined'],
    },
  );
  const fetched =
    'export default async () => { try { await fetch("http://127.0.0.1:12345/") } catch (e) { return String(e.cause ?? e) } }';
  assert.match(String((await rig.one({ code: fetched, grant: { net: true } })).value), /no way to the machine/);
  await rig.end();
});

bundled.run();
