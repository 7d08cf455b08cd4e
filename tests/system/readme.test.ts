/**
 * README's commands in a fresh clone with an empty home folder: those in fences marked ```` ```sh checked ````. The
 * clone is of HEAD; ports are free ones, and the three lines are pasted as they are printed. A line that this test does
 * not know how to check fails it: README promises nothing that is not tried. Runs alone: how long the second start
 * takes is promised.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Clone, freshClone, pressCtrlC } from '../fixture/clone.ts';
import { patienceMs, type Started, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { within } from '../fixture/promised-time.ts';

const root = join(import.meta.dirname, '../..');
const install = 5 * 60_000;

interface Context {
  clone: Clone;
  running: Started;
  /** What `npm start` printed when it was up. */
  printed: string;
  node: string;
}

const readme = suite<Context>('readme');

/** The lines of all fences that are marked. */
function checkedLines(text: string): readonly string[] {
  const fences = [...text.matchAll(/^```sh checked\n([\s\S]*?)^```$/gm)];
  return fences.flatMap(([, body = '']) => body.split('\n').map(line => line.trim())).filter(line => line !== '');
}

/** The line without what differs from machine to machine: the port, and the node's id. */
const general = (line: string) =>
  line
    .replace(/ -p \d+/, '')
    .replace(/\/node\/[^/]+\//, '/node/ID/')
    .trim();

const pasteLines = (text: string) =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(line => /^mosquitto_(sub|pub) /.test(line));

/** Runs `npm start` with flags of the test's own and waits for the ready file. */
async function npmStart(clone: Clone, limitMs: number): Promise<{ running: Started; ms: number; node: string }> {
  const ready = join(clone.home, 'ready.json');
  const started = performance.now();
  const running = clone.run(`npm start -- --mqtt-port 0 --http-port 0 --ready-file '${ready}'`);
  let over = false;
  void running.ended.then(() => {
    over = true;
  });
  const there = () => over || existsSync(ready);
  await until('npm start is up', there, limitMs).catch(error => assert.unreachable(`${error}\n${running.output()}`));
  assert.not(over, running.output());
  const { node } = JSON.parse(readFileSync(ready, 'utf8')) as { node: string };
  return { running, ms: performance.now() - started, node };
}

const lines = existsSync(join(root, 'README.md')) ? checkedLines(readFileSync(join(root, 'README.md'), 'utf8')) : [];

readme('every command in it is one that is tried here', () => {
  const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts as Record<string, string>;
  const known = [
    /^git clone \S+( \S+)?( && cd \S+)?$/,
    /^cd \S+$/,
    /^npm start$/,
    /^npm test$/,
    /^mosquitto_(sub|pub) /,
  ];
  for (const line of lines) {
    const script = /^npm run (\S+)/.exec(line)?.[1];
    if (script === undefined)
      assert.ok(
        known.some(pattern => pattern.test(line)),
        `not tried by this test: ${line}`,
      );
    else assert.ok(scripts[script], `package.json has no script for: ${line}`);
  }
  for (const line of ['npm start', 'npm test']) assert.ok(lines.includes(line), `README.md shows no "${line}"`);
});

testWith(readme, ['git'], 'npm start installs, builds and prints where everything is', async context => {
  context.clone = freshClone();
  const { running, ms, node } = await npmStart(context.clone, install);
  context.running = running;
  context.node = node;
  await running.line(/-n\n/);
  context.printed = running.output();
  const { printed, clone } = context;
  const dashboard = /dashboard +(http:\/\/\S+)/.exec(printed)?.[1] ?? '';
  assert.match(await (await fetch(dashboard)).text(), /<title>/);
  assert.match(printed, new RegExp(`data folder +${join(clone.home, 'data')}\n`));
  assert.is(pasteLines(printed).length, 3, printed);
  console.log(`npm start in a fresh clone: ${(ms / 1000).toFixed(1)} s`);
});

testWith(readme, ['git'], 'its three lines are the ones that npm start prints', ({ printed }) => {
  assert.equal(lines.filter(line => line.startsWith('mosquitto_')).map(general), pasteLines(printed).map(general));
});

const clients = ['git', 'mosquitto_sub', 'mosquitto_pub'];
testWith(readme, clients, 'the three lines, pasted, show the cluster, start a service and stop it', async context => {
  const { clone, node, printed } = context;
  const [sub = '', set = '', clear = ''] = pasteLines(printed);
  const paste = (line: string) => start('sh', ['-c', `exec ${line}`], { env: clone.env });
  const watching = paste(sub);
  await watching.line(new RegExp(`^hearth/node/${node}/status online$`, 'm'));
  assert.is(await paste(set).ended, 0);
  await watching.line(new RegExp(`^hearth/node/${node}/result \\{.*"ok":true`, 'm'));
  await watching.line(new RegExp(`^hearth/node/${node}/is .*"services/hello":\\{[^}]*"state":"running"`, 'm'));
  const before = watching.output().length;
  assert.is(await paste(clear).ended, 0);
  const gone = new RegExp(`^hearth/node/${node}/is (?!.*services/hello)`, 'm');
  await until('the service is gone', () => gone.test(watching.output().slice(before)));
  await watching.stop();
});

testWith(
  readme,
  clients,
  'the lines of jobs, pasted one after the other, give what they say',
  async ({ clone, printed }) => {
    const text = readFileSync(join(root, 'README.md'), 'utf8');
    const jobs = (/^```sh jobs\n([\s\S]*?)^```$/m.exec(text)?.[1] ?? '').split('\n').filter(line => line !== '');
    assert.is(jobs.length, 3);
    const broker = /mosquitto_pub .*?(-p \d+)/.exec(printed)?.[1] ?? '';
    const outputs: string[] = [];
    for (const line of jobs) {
      const run = clone.run(line.replace(/^mosquitto_pub/, `mosquitto_pub ${broker}`));
      assert.is(await run.ended, 0, `${line}\n${run.output()}`);
      outputs.push(run.output());
    }
    const numbers = (output = '') =>
      output
        .split('\n')
        .filter(line => /^\d+$/.test(line))
        .map(Number);
    assert.equal(
      numbers(outputs[0]),
      Array.from({ length: 1000 }, (_, index) => (index + 1) ** 2),
    );
    const squares = Array.from({ length: 1000 }, (_, index) => (index + 1) ** 2);
    assert.equal(numbers(outputs[0]), squares);
    assert.equal(
      numbers(outputs[2]).sort((a, b) => a - b),
      squares,
      outputs[2]?.slice(0, 500),
    );
  },
);

testWith(readme, ['git'], 'Ctrl-C ends it with exit code 0, and the second npm start is quick', async context => {
  const { clone, running } = context;
  pressCtrlC(running);
  assert.is(await running.ended, 0, running.output());
  // The promise is 2 s; on a slow and busy machine this only tells a start from an install.
  await within('a second npm start', 8000, async () => {
    const again = await npmStart(clone, patienceMs);
    console.log(`the second npm start: ${(again.ms / 1000).toFixed(2)} s`);
    assert.is(again.node, context.node);
    assert.not.match(again.running.output(), /installing|building/);
    pressCtrlC(again.running);
    assert.is(await again.running.ended, 0, again.running.output());
    return again.ms;
  });
});

testWith(readme, ['git'], 'npm test passes', async ({ clone }) => {
  const tests = clone.run('npm test -- unit/topics');
  assert.is(await tests.ended, 0, tests.output());
  assert.match(tests.output(), /^[1-9]\d* passed, 0 failed$/m);
});

testWith(readme, ['git'], 'nothing lies about: not in the clone, not in the home folder', async ({ clone }) => {
  const status = start('git', ['status', '--porcelain'], { cwd: clone.path });
  assert.is(await status.ended, 0);
  assert.is(status.output(), '');
  assert.equal(readdirSync(clone.home).sort(), ['data']);
});

readme.run();
