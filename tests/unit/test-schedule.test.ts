/** Test files run beside each other, but for those that say that they must not; and those that must not say so. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readTestFile, runInLanes, type TestFile } from '../schedule.ts';

const schedule = suite('schedule of tests');
const tests = join(import.meta.dirname, '..');

const file = (path: string, more: Partial<TestFile> = {}): TestFile => ({ path, alone: false, shares: [], ...more });

/** Runs files that take as many turns as is said of them; @returns who ran beside whom, turn by turn. */
async function turns(files: readonly TestFile[], lanes: number, lasts: Readonly<Record<string, number>> = {}) {
  const running = new Map<string, number>();
  const seen: string[] = [];
  const ran: string[] = [];
  let over = false;
  const run = async (path: string, lane: number) => {
    assert.not.ok([...running.values()].includes(lane), 'a lane has one at a time');
    running.set(path, lane);
    for (let turn = 0; turn < (lasts[path] ?? 1); turn++) await new Promise(resolve => setImmediate(resolve));
    running.delete(path);
    ran.push(path);
    return path;
  };
  const watch = async () => {
    while (!over) {
      const now = [...running.keys()].sort().join(' ');
      if (now !== '' && seen.at(-1) !== now) seen.push(now);
      await new Promise(resolve => setImmediate(resolve));
    }
  };
  const watching = watch();
  const done = await runInLanes(files, lanes, run);
  over = true;
  await watching;
  assert.equal(done, ran);
  assert.equal([...ran].sort(), files.map(({ path }) => path).sort(), 'each of them, once');
  return { seen, ran };
}

schedule('as many at a time as there are lanes', async () => {
  const files = ['a', 'b', 'c', 'd', 'e'].map(path => file(path));
  assert.equal((await turns(files, 1)).ran, ['a', 'b', 'c', 'd', 'e']);
  const { seen } = await turns(files, 2, { a: 40, b: 5, c: 5, d: 5, e: 5 });
  assert.equal(seen, ['a b', 'a c', 'a d', 'a e', 'a']);
});

schedule('who shares something is never beside another one of it, and holds up nobody else', async () => {
  const apt = { shares: ['apt'] };
  const files = [file('a', apt), file('b', apt), file('c', { shares: ['apt', 'dbus'] }), file('d'), file('e')];
  const { seen } = await turns(files, 2, { a: 9, b: 9, c: 9, d: 3, e: 3 });
  assert.ok(seen.includes('a d') && seen.includes('a e'), seen.join());
  for (const now of seen) assert.ok(now.split(' ').filter(path => 'abc'.includes(path)).length <= 1, now);
});

schedule('who runs alone does so, in the end', async () => {
  const files = [file('a', { alone: true }), file('b'), file('c', { alone: true }), file('d')];
  const { seen, ran } = await turns(files, 2, { b: 5 });
  assert.equal(seen.slice(-2), ['a', 'c']);
  assert.equal(ran, ['d', 'b', 'a', 'c']);
});

schedule('the first comment says it, with a reason', () => {
  const read = (comment: string) =>
    readTestFile('x.test.ts', `${comment}\nimport {} from 'x';\n/** Runs alone: no. */`);
  assert.equal(read('/** A test. */'), file('x.test.ts'));
  assert.equal(read(''), file('x.test.ts'));
  assert.ok(read('/** A test. Runs alone: it measures. */').alone);
  const two = '/**\n * A test. Shares debian: it is made\n * once. Shares\n * dbus: there is one bus. More.\n */';
  assert.equal(read(two).shares, ['debian', 'dbus']);
  assert.throws(() => read('/** A test. Runs alone. */'), /^x.test.ts: "Runs alone" .* needs a reason/);
  assert.throws(() => read('/** A test. Shares apt. */'), /^x.test.ts: "Shares apt" .* needs a reason/);
});

/** A file's modules among the tests, itself and all that it loads. */
function loaded(path: string, all = new Set<string>()): ReadonlySet<string> {
  if (all.has(path)) return all;
  all.add(path);
  for (const [, from = ''] of readFileSync(path, 'utf8').matchAll(/^(?:import|\} from) (?:.* from )?'(\.[^']+)';$/gm)) {
    const next = join(dirname(path), from);
    if (!relative(tests, next).startsWith('..')) loaded(next, all);
  }
  return all;
}

/** What a file uses that more than one cannot, by what it loads and names. */
const needs: readonly (readonly [what: string, RegExp, (file: TestFile) => boolean])[] = [
  ['Runs alone (it measures a time that is promised)', /^import .*\bwithin\b.*promised-time/m, ({ alone }) => alone],
  ['Shares debian', /(?<!function )\b(debianImage|realRuntimes)\(/, ({ shares }) => shares.includes('debian')],
  ['Shares home-assistant', /(?<!function )\bstartHomeAssistant\(/, ({ shares }) => shares.includes('home-assistant')],
];

schedule('who must not run beside others says so', () => {
  const files = readdirSync(tests, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.test.ts'));
  assert.ok(files.length > 300);
  const missing: string[] = [];
  for (const name of files) {
    const read = readTestFile(name, readFileSync(join(tests, name), 'utf8'));
    const text = [...loaded(join(tests, name))].map(path => readFileSync(path, 'utf8')).join('\n');
    for (const [what, pattern, says] of needs) {
      if (!read.alone && pattern.test(text) && !says(read)) missing.push(`tests/${name}: ${what}: <reason>.`);
    }
  }
  assert.equal(missing, []);
});

schedule.run();
