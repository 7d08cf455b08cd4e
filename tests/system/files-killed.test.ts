/** The agent is killed at every effect of a plan: the next one converges, with nothing half written, left over or lost. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Scenario, scenarios, treeOf } from '../fixture/files/kill-scenarios.ts';
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
    const plain = await effectsOf(scenario);
    assert.ok(plain.count > 4, `${plain.count} effects`);
    await atEach(plain.count, at => killAt(scenario, at, 1, plain));
  });
}

killed('killed at every effect of steps that run at the same time', async () => {
  const [scenario] = scenarios;
  assert.ok(scenario);
  const plain = await effectsOf(scenario);
  await atEach(plain.count, at => killAt(scenario, at, 8, plain));
});

/** A few at a time: most of it is waiting for processes to start. */
async function atEach(count: number, run: (at: number) => Promise<void>): Promise<void> {
  let next = 1;
  const lane = async () => {
    while (next <= count) await run(next++);
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}

async function killAt(scenario: Scenario, at: number, lanes: number, plain: Plain): Promise<void> {
  const root = quickFolder();
  const far = scenario.isFar ? farMachine(root) : undefined;
  const rig = new FilesRig({ lanes: 1 }, root);
  await rig.start();
  await scenario.before(rig);
  rig.table.close();
  const ended = await start(process.execPath, [child, scenario.name, root, String(at), String(lanes)]).ended;
  // Side by side, fewer writes of the ledger may be needed than one after the other.
  if (lanes === 1 || ended !== 0) assert.is(ended, 'SIGKILL', `effect ${at}`);
  const next = new FilesRig({ lanes }, root);
  await next.start();
  const where = `killed before effect ${at}`;
  await next.make(scenario.to(next));
  assert.equal(treeOf(next), plain.after, where);
  assert.equal(await next.make(scenario.to(next)), [], where);
  await next.make({});
  assert.equal(treeOf(next), plain.restored, `${where}, then restored`);
  assert.equal([next.kept(), fs.readdirSync(join(next.data, 'items/manifests'))], [[], []], where);
  next.table.close();
  fs.rmSync(root, { recursive: true });
  if (far !== undefined) fs.rmSync(far, { recursive: true });
}

/** A machine on another file system than the data folder: originals are copies. */
function farMachine(root: string): string {
  const far = folder('hearth-far-');
  fs.symlinkSync(far, join(root, 'machine'));
  return far;
}

interface Plain {
  readonly count: number;
  readonly after: Record<string, string>;
  readonly restored: Record<string, string>;
}

/** What an agent that nobody kills does: how many effects, and what the machine is after it. */
async function effectsOf(scenario: Scenario): Promise<Plain> {
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
