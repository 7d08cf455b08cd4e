/** The agent is killed at every effect of a plan: the next one converges, with nothing half written, left over or lost. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { scenarios, treeOf } from '../fixture/files/kill-scenarios.ts';
import { FilesRig, quickFolder } from '../fixture/files/rig.ts';
import { folder, start } from '../fixture/processes.ts';

const killed = suite('files killed');
/** Effects are many, and at each a process of its own is killed: it is built once, so that it starts quickly. */
const built = folder('hearth-killed-child-');
await build({
  entryPoints: [join(import.meta.dirname, '../fixture/files/killed-child.ts')],
  outdir: built,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'error',
  banner: { js: "import{createRequire as testRequire}from'node:module';const require=testRequire(import.meta.url);" },
});
const child = join(built, 'killed-child.mjs');

const isFarHere = fs.existsSync('/dev/shm') && fs.statSync('/dev/shm').dev !== fs.statSync(built).dev;
for (const scenario of scenarios) {
  if (scenario.isFar && !isFarHere) {
    console.log(`skipped: ${scenario.name} (needs /dev/shm)`);
    continue;
  }
  killed(`killed at every effect: ${scenario.name}`, async () => {
    const effects = await effectsOf(scenario.name);
    assert.ok(effects.count > 4, `${effects.count} effects`);
    for (let at = 1; at <= effects.count; at++) {
      const root = quickFolder();
      const far = scenario.isFar ? farMachine(root) : undefined;
      const rig = new FilesRig({ lanes: 1 }, root);
      await rig.start();
      await scenario.before(rig);
      rig.table.close();
      const ended = await start(process.execPath, [child, scenario.name, root, String(at)]).ended;
      assert.is(ended, 'SIGKILL', `effect ${at}`);
      const next = new FilesRig({ lanes: 1 }, root);
      await next.start();
      const where = `killed before effect ${at}`;
      await next.make(scenario.to(next));
      assert.equal(treeOf(next), effects.after, where);
      assert.equal(await next.make(scenario.to(next)), [], where);
      await next.make({});
      assert.equal(treeOf(next), effects.restored, `${where}, then restored`);
      assert.equal([next.kept(), fs.readdirSync(join(next.data, 'items/manifests'))], [[], []], where);
      next.table.close();
      fs.rmSync(root, { recursive: true });
      if (far !== undefined) fs.rmSync(far, { recursive: true });
    }
  });
}

/** A machine on another file system than the data folder: originals are copies. */
function farMachine(root: string): string {
  const far = folder('hearth-far-');
  fs.symlinkSync(far, join(root, 'machine'));
  return far;
}

/** What an agent that nobody kills does: how many effects, and what the machine is after it. */
async function effectsOf(name: string) {
  const scenario = scenarios.find(each => each.name === name);
  if (!scenario) throw new Error(name);
  const root = quickFolder();
  const far = scenario.isFar ? farMachine(root) : undefined;
  const rig = new FilesRig({ lanes: 1 }, root);
  await rig.start();
  await scenario.before(rig);
  await rig.make(scenario.to(rig));
  const count = rig.effects.length;
  const after = treeOf(rig);
  await rig.make({});
  const restored = treeOf(rig);
  rig.table.close();
  if (far !== undefined) fs.rmSync(far, { recursive: true });
  return { count, after, restored };
}

killed.run();
