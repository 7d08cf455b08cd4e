/**
 * The agent is killed before every single thing that it does to its machine on the way from one document to another,
 * files and services: the next one converges, with no file half written, nothing left over, and no service running
 * twice. Shares cores: it starts several processes at a time.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { folder, start, until } from '../fixture/processes.ts';

const suite = describe('a plan killed at every effect');

const built = folder('hearth-plan-child-');
await build({
  entryPoints: [join(import.meta.dirname, '../fixture/plan-child.ts')],
  outdir: built,
  outExtension: { '.js': '.mjs' },
  ...{ bundle: true, splitting: true, platform: 'node', format: 'esm', logLevel: 'error' },
  banner: { js: "import{createRequire as testRequire}from'node:module';const require=testRequire(import.meta.url);" },
});
const child = join(built, 'plan-child.mjs');

/** Told apart from every other process by a number of its own. */
let marks = process.pid * 10_000;

interface Place {
  readonly root: string;
  readonly data: string;
  readonly etc: string;
  /** Of each service, in its command line. */
  readonly marks: Readonly<Record<'stays' | 'goes' | 'changes' | 'comes', number>>;
}

function place(): Place {
  const root = folder('hearth-plan-');
  const etc = join(root, 'etc');
  fs.mkdirSync(etc);
  fs.writeFileSync(join(etc, 'theirs.conf'), 'of before Hearth\n', { mode: 0o640 });
  const mark = () => ++marks;
  return {
    root,
    data: join(root, 'data'),
    etc,
    marks: { stays: mark(), goes: mark(), changes: mark(), comes: mark() },
  };
}

const from = 'node/n1';
const sleep = (mark: number) => ({ run: `sleep ${mark}`, stop: { grace_s: 1 }, from });
const first = ({ etc, marks }: Place) => ({
  rev: 1,
  files: {
    stays: { path: join(etc, 'stays.conf'), content: 'stays\n', from },
    goes: { path: join(etc, 'deep/goes.conf'), content: 'goes\n', from },
    theirs: { path: join(etc, 'theirs.conf'), content: 'ours now\n', from },
  },
  services: { stays: sleep(marks.stays), goes: sleep(marks.goes), changes: sleep(marks.changes) },
});
const second = ({ etc, marks }: Place) => ({
  rev: 2,
  files: {
    stays: { path: join(etc, 'stays.conf'), content: 'stays, {{ node.id }}\n', template: true, mode: '0600', from },
    comes: { path: join(etc, 'new/comes.conf'), content: 'comes\n', from },
  },
  services: {
    stays: sleep(marks.stays),
    changes: { ...sleep(marks.changes), env: { X: '1' } },
    comes: { ...sleep(marks.comes), needs: ['files/comes'] },
  },
});

async function run({ data }: Place, document: object, killAt?: number) {
  const env = { PATH: process.env.PATH, HOME: data, ...(killAt === undefined ? {} : { KILL_AT: String(killAt) }) };
  const process_ = start(process.execPath, [child, data, JSON.stringify(document)], { env });
  const ended = await process_.ended;
  const line = process_.output().trim().split('\n').at(-1) ?? '';
  const told = line.startsWith('{') ? (JSON.parse(line) as { err: string; effects: number }) : undefined;
  return { ended, told, output: process_.output() };
}

/** Every path below `etc` with mode and content. */
function tree({ etc }: Place): string[] {
  return fs
    .readdirSync(etc, { recursive: true, withFileTypes: true })
    .map(entry => {
      const path = join(entry.parentPath, entry.name);
      const about = fs.lstatSync(path);
      const text = entry.isFile() ? ` ${fs.readFileSync(path, 'utf8')}` : '/';
      return `${path.slice(etc.length)} ${(about.mode & 0o777).toString(8)}${text}`;
    })
    .sort();
}

/** How many processes sleep for each service. */
function sleepers(place: Place): Record<string, number> {
  const lines = fs.readdirSync('/proc').flatMap(pid => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      return [fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()];
    } catch {
      return [];
    }
  });
  return Object.fromEntries(
    Object.entries(place.marks).map(([name, mark]) => [name, lines.filter(line => line === `sleep ${mark}`).length]),
  );
}

/** A process is told as started a moment before its shell has become what it runs. Never is there one too many. */
async function runs(place: Place, wanted: Record<string, number>, where: string): Promise<void> {
  let found = sleepers(place);
  await until(
    () => `${JSON.stringify(wanted)} run, not ${JSON.stringify(found)}; ${where}`,
    () => {
      found = sleepers(place);
      for (const [name, count] of Object.entries(found)) assert.ok(count <= 1, `${name} runs ${count} times; ${where}`);
      return JSON.stringify(found) === JSON.stringify(wanted);
    },
  );
}

async function end(place: Place): Promise<void> {
  await run(place, { rev: 99, files: {}, services: {} });
  await runs(place, { stays: 0, goes: 0, changes: 0, comes: 0 }, 'in the end');
  assert.equal(tree(place), ['/theirs.conf 640 of before Hearth\n'], 'and what was there before is back');
  fs.rmSync(place.root, { recursive: true, force: true });
}

suite('from one document to the next', async () => {
  const plain = place();
  assert.is((await run(plain, first(plain))).ended, 0);
  const { told, output } = await run(plain, second(plain));
  assert.is(told?.err, '', output);
  const after = tree(plain);
  const running = { stays: 1, goes: 0, changes: 1, comes: 1 };
  await runs(plain, running, output);
  assert.is(after.length, 4, after.join());
  await end(plain);

  const count = told?.effects ?? 0;
  assert.ok(count > 30, `${count} effects`);
  let next = 1;
  const lane = async () => {
    for (let at = next++; at <= count; at = next++) {
      const here = place();
      assert.is((await run(here, first(here))).ended, 0);
      const killed = await run(here, second(here), at);
      // What runs side by side may come in another order, and need an effect more or less.
      if (at < count * 0.8) assert.is(killed.ended, 'SIGKILL', `effect ${at}: ${killed.output}`);
      const again = await run(here, second(here));
      const where = `killed before effect ${at}: ${killed.output}${again.output}`;
      assert.is(again.told?.err, '', where);
      assert.equal(tree(here), after, where);
      await runs(here, running, where);
      await end(here);
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
});

suite.run();
