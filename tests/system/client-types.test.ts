/** What the package says to TypeScript about `hearth/client`, and that it can be imported by that name. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folder, start } from '../fixture/processes.ts';

const test = suite('client: the package');
const root = join(import.meta.dirname, '../..');
const compiler = join(root, 'node_modules/typescript/bin/tsc');

async function node(cwd: string, ...args: string[]): Promise<string> {
  const run = start(process.execPath, args, { cwd });
  if ((await run.ended) !== 0) throw new Error(run.output());
  return run.output();
}

/** A program's folder in which the package is installed, with its types. */
async function installed(): Promise<string> {
  const place = folder();
  const modules = join(place, 'node_modules');
  const hearth = join(modules, 'hearth');
  mkdirSync(join(hearth, 'dist'), { recursive: true });
  await node(root, compiler, '-p', join(root, 'deploy/client-types.json'), '--outDir', join(hearth, 'dist/types'));
  for (const name of ['client.js', 'client-worker.js', 'parts']) {
    symlinkSync(join(root, 'dist', name), join(hearth, 'dist', name));
  }
  writeFileSync(join(hearth, 'package.json'), readFileSync(join(root, 'package.json')));
  for (const name of ['mqtt', 'zod', '@types']) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  writeFileSync(join(place, 'package.json'), '{"type":"module"}');
  return place;
}

const good = `
import { connect, inline, Job, JobError, Manager, type TaskResult, Worker } from 'hearth/client';
const hearth = await connect('mqtts://h', { token: 'x' });
const all: number[] = await hearth.map<number>('double', [1, 2], { where: 'cores > 4', retries: 3, policy: 'spread' });
const one: number = await hearth.map<number>('double', { x: '1-9', y: ['a'] }, { reduce: { plugin: 'sum', fan_in: 2 } });
async function* endless() { for (;;) yield { frame: 1 }; }
for await (const result of hearth.stream<string>({ run: 'echo {}' }, endless(), { ordered: true })) {
  const same: TaskResult<string> = result;
  same.error?.code === 'timeout';
}
const job = await hearth.run(inline((n: number) => n), { id: 'x' });
if (job.state === 'running') await job.done.catch(error => error instanceof JobError && error.failures[0]?.exit);
new Worker({ jobs: [new Job({ name: 'a', run: (n: number, { signal }) => signal.aborted && n })] }).on('ready', node => node.length);
new Manager().on('heartbeat', ({ cpu_pct }) => cpu_pct);
export { all, one };
`;

test('programs are checked against it', async () => {
  const place = await installed();
  const check = (text: string) => {
    writeFileSync(join(place, 'program.ts'), text);
    const flags = ['--ignoreConfig', '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023'];
    return node(place, compiler, ...flags, '--types', 'node', 'program.ts');
  };
  await check(good);
  const wrongs = [
    "hearth.map('x', [1], { wher: 'y' })",
    "hearth.map('x', [1], { policy: 'best' })",
    'hearth.run({ runs: 1 })',
  ];
  for (const wrong of wrongs) {
    const refused = await check(`${good}\nawait ${wrong};`).then(
      () => '',
      (error: Error) => error.message,
    );
    assert.match(refused, /program\.ts\(\d+,\d+\): error TS/, wrong);
  }
  const said = await node(place, '-e', "import('hearth/client').then(all => console.log(Object.keys(all).join()))");
  assert.match(said, /connect,inline/);
});

test.run();
