/** What `hearth run` makes of its command line: values, and the document of the job. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bringing, checkedRun, commandText, documentOf, runOf } from '../../cli/run/document.ts';
import type { RunFlags } from '../../cli/run/flags.ts';
import { megabytes, pairs, seconds, whole } from '../../cli/run/reading.ts';
import { readValues, type Source } from '../../cli/run/values.ts';
import { jobDocument } from '../../shared/schemas/job.ts';
import { rejection } from '../fixture/rejection.ts';

const test = suite<{ folder: string }>('hearth run');
test.before(context => {
  context.folder = mkdtempSync(join(tmpdir(), 'cli-run-'));
});
test.after(({ folder }) => rmSync(folder, { recursive: true }));

const array = (...texts: string[]): Source[] => texts.map(text => ({ kind: 'array', text }));

// Values

test('dimensions are combined in the order in which they were said', async () => {
  const values = await readValues(array('size=s,m', 'seed=1-2'), undefined);
  assert.equal(values?.names, ['size', 'seed']);
  assert.equal(
    [0, 1, 2, 3].map(index =>
      Object.values(values?.at(index) ?? {})
        .sort()
        .join(''),
    ),
    ['1s', '2s', '1m', '2m'],
  );
  assert.equal((await readValues(array('0-10:5'), undefined))?.at(2), { i: '10' });
  assert.equal((await readValues([], undefined))?.n, 1);
});

test('lines of files: with CR LF, without a last newline, empty ones in between', async ({ folder }) => {
  const file = join(folder, 'lines');
  writeFileSync(file, 'a b\r\n\r\n$(rm)');
  const values = await readValues([{ kind: 'lines', text: file }], undefined);
  assert.equal(values?.dimensions, { i: ['a b', '', '$(rm)'] });
  writeFileSync(file, '');
  assert.is(await readValues([{ kind: 'lines', text: `x=${file}` }, ...array('y=1-2')], undefined), undefined);
});

test('files that match become absolute paths, in order', async ({ folder }) => {
  for (const name of ['b.x', 'a.x', "it's.x", 'c.y']) writeFileSync(join(folder, name), '');
  const values = await readValues([{ kind: 'files', text: `${folder}/*.x` }], undefined);
  assert.equal(
    values?.dimensions?.i,
    ['a.x', 'b.x', "it's.x"].map(name => join(folder, name)),
  );
  assert.match(
    (await rejection(readValues([{ kind: 'files', text: `${folder}/*.z` }], undefined), /./)).message,
    /no file/,
  );
});

test('items are lines of JSON; what is no JSON is named', async ({ folder }) => {
  const file = join(folder, 'items');
  writeFileSync(file, '{"a":1}\n\n"text"\n7\n');
  const values = await readValues([], file);
  assert.equal(values?.items, [{ a: 1 }, 'text', 7]);
  assert.equal(
    [0, 1, 2].map(index => values?.at(index).i),
    ['{"a":1}', 'text', '7'],
  );
  writeFileSync(file, '1\n{a}\n');
  assert.match((await rejection(readValues([], file), /./)).message, /line 2 .* not JSON: \{a\}/);
});

test('what cannot be meant is refused with what to write', async () => {
  const problem = async (...texts: string[]) => (await rejection(readValues(array(...texts), undefined), /./)).message;
  assert.match(await problem('1-2', '3-4'), /need names: --array NAME=3-4/);
  assert.match(await problem('a=1', 'a=2'), /two dimensions "a"/);
  assert.match(await problem('1-x'), /not a range/);
  assert.match(await problem(''), /not a range/);
  assert.match(await problem('1-99999999'), /10000000 at most/);
});

// The document

const fake = (): Bringing & { readonly brought: string[] } => {
  const brought: string[] = [];
  const bring = async (what: string) => `artifact:${String(brought.push(what)).padStart(64, '0')}`;
  return { brought, file: bring, text: (_name, text) => bring(text) };
};
async function documented(words: readonly string[], said: Partial<RunFlags> = {}, bring: Bringing = fake()) {
  const flags: RunFlags = { sources: [], ...said };
  const values = await readValues(flags.sources, flags.items);
  if (!values) throw new Error('no values');
  const document = await documentOf(words, flags, values, bring);
  assert.ok(jobDocument.safeParse(document).success, JSON.stringify(jobDocument.safeParse(document).error));
  return document as Record<string, unknown>;
}

test('several words are a program and its arguments, one with anything of a shell in it a script', () => {
  assert.equal(runOf(['echo', 'a b', '{}'], false), ['echo', 'a b', '{}']);
  assert.equal(runOf(['true'], false), ['true']);
  assert.equal(runOf(['/usr/bin/x{}'], false), ['/usr/bin/x{}']);
  assert.equal(runOf(['{#}'], false), ['{#}']);
  assert.is(runOf(['echo {} | wc'], false), 'echo {} | wc');
  assert.is(runOf(['a;b'], false), 'a;b');
  assert.is(runOf(['echo', '{}'], true), 'echo {}');
});

test('options become the keys of the document, and nothing else does', async () => {
  assert.equal(await documented(['true'], { sources: array('1-1000') }), {
    run: ['true'],
    array: '1-1000',
    retries: 0,
  });
  const all = await documented(['./solve {} {x}'], {
    ...{ sources: array('2-4'), where: 'cores>2', policy: 'spread', priority: '-5', deadline: '2h', timeout: '1.5m' },
    ...{ retries: '3', needs: ['a,b', 'c'], jobs: '7', cpus: '2', mem: '2G', replicas: '3', agree: '2' },
    ...{ speculate: true, env: ['A=b=c', 'HOME'], output: ['x=out/x.png'], stdin: '/dev/null', fanIn: '5' },
    ...{ reduceRun: 'sort', cwd: '/tmp/..' },
  });
  assert.equal(all, {
    ...{ run: './solve {} {x}', array: '2-4', where: 'cores>2', policy: 'spread', priority: -5, deadline_s: 7200 },
    ...{ timeout_s: 90, retries: 3, needs: ['a', 'b', 'c'], max_parallel: 7, cpus: 2, mem_mb: 2048, replicas: 3 },
    ...{ agree: 2, speculate: true, env: { A: 'b=c', HOME: process.env.HOME }, outputs: { x: 'out/x.png' }, stdin: '' },
    ...{ reduce: { run: 'sort', fan_in: 5 }, cwd: '/' },
  });
  assert.is((await documented(['true'], { heat: true })).class, 'heat');
  assert.is((await documented(['true'], { class: 'heat' })).class, 'heat');
  assert.is((await documented(['true'], { class: 'batch' })).class, 'batch');
  assert.is((await documented(['true'])).class, undefined);
  for (const flags of [{ class: 'hot' }, { class: 'batch', heat: true }]) {
    await documented(['true'], flags).then(
      () => assert.unreachable(),
      (error: Error) => assert.match(error.message, /--class/),
    );
  }
  assert.is((await documented(['./solve', '{#}'])).cwd, process.cwd(), 'a program of this folder');
  assert.is((await documented(['solve', './x'])).cwd, undefined);
});

test('what is large, and what are files, is brought before', async ({ folder }) => {
  const bring = fake();
  const file = join(folder, 'many');
  const lines = Array.from({ length: 30_000 }, (_, n) => `line ${n}`);
  writeFileSync(file, lines.join('\n'));
  const input = ['scene=my scene.blend', `lib=artifact:${'a'.repeat(64)}`];
  const document = await documented(
    ['cat', '{x}', '{y}', '{scene}'],
    { sources: [{ kind: 'lines', text: `x=${file}` }, ...array('y=1-2')], input },
    bring,
  );
  assert.equal(document.array, { x: { lines: `artifact:${'1'.padStart(64, '0')}` }, y: '1-2' });
  assert.equal(document.inputs, { scene: `artifact:${'2'.padStart(64, '0')}`, lib: `artifact:${'a'.repeat(64)}` });
  assert.equal(bring.brought, [`${lines.join('\n')}\n`, 'my scene.blend']);
});

test('what is wrong with options is said in one sentence that names the option', async () => {
  const problem = async (words: readonly string[], said: Partial<RunFlags>) =>
    (await rejection(documented(words, said), /./)).message;
  assert.match(await problem([], {}), /What is to be run\?/);
  assert.match(await problem(['x'], { plugin: 'y' }), /Only one of a command and --plugin/);
  assert.match(await problem(['x'], { retries: '-1' }), /--retries: "-1" .* from 0 to 100/);
  assert.match(await problem(['x'], { timeout: 'soon' }), /--timeout: "soon" is no time/);
  assert.match(await problem(['x'], { mem: '2X' }), /--mem: "2X" is no size/);
  assert.match(await problem(['x'], { policy: 'spred' }), /did you mean "spread"/);
  assert.match(await problem(['x'], { env: ['NOT_THERE_AT_ALL'] }), /no variable NOT_THERE_AT_ALL/);
  assert.match(await problem([], { plugin: 'x', common: '{a' }), /--common: .* not JSON/);
  assert.throws(() => pairs(['=x'], '--input'), /--input: "=x" is not NAME=PATH/);
  assert.throws(() => checkedRun('echo "{}"', ['i'], { sources: [] }), /double quotes/);
  assert.is(seconds('2d', ''), 172_800);
  assert.is(megabytes('0.5G', ''), 512);
  assert.throws(() => whole('1e3', '--jobs', 1, 5), /from 1 to 5/);
});

test('a task as a shell would take it', async () => {
  const values = await readValues(array("x=it's,b", 'y=1-2'), undefined);
  const flags: RunFlags = { sources: [], input: ['in=/my/a b'] };
  if (!values) throw new Error('no values');
  const argv = checkedRun(['a', '{x} {y}', '{#}', '{in}'], values.names, flags);
  assert.is(commandText(argv, values, flags, 1), "a 'it'\\''s 2' 2 'a b'");
  assert.is(commandText(checkedRun('a {x}', values.names, flags), values, flags, 0), "a 'it'\\''s'");
});

test.run();
