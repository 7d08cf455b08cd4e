/** How package managers are run and watched on a real machine. */
import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { managerEnvironment } from '../../node-agent/reconcile/packages/environment.ts';
import type { Command, Finished } from '../../node-agent/reconcile/packages/provider.ts';
import { createRealMachine, watchFiles } from '../../node-agent/reconcile/packages/real-machine.ts';
import { createRunning } from '../../node-agent/reconcile/packages/running.ts';
import { folder, until } from '../fixture/processes.ts';

const running = suite('packages: running');

function runner(own: NodeJS.ProcessEnv = process.env) {
  const data = join(folder(), 'items');
  const run = createRunning({ folder: data, env: managerEnvironment(own) });
  return {
    data,
    begin(kind: Command['kind'], ...argv: readonly string[]) {
      const lines: string[] = [];
      let kill = () => {};
      const ended = new Promise<Finished>(resolve => {
        kill = run({ kind, argv }, line => lines.push(line), resolve).kill;
      });
      return { lines, ended, kill: () => kill() };
    },
  };
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

running('what cannot be started says so, later, whatever was asked', async () => {
  const { begin } = runner();
  for (const kind of ['ask', 'change'] as const) {
    const missing = await begin(kind, 'no-such-program-here').ended;
    assert.equal([missing.code, missing.err], [-1, 'cannot run no-such-program-here (ENOENT)']);
    const hostile = await begin(kind, 'echo', 'a\0b').ended;
    assert.is(hostile.code, -1);
  }
});

running('output is read by lines, apart for an answer and together for a change, whose file goes', async () => {
  const { begin, data } = runner();
  const script = 'echo one; echo two >&2; printf three; exit 3';
  const answer = await begin('ask', 'sh', '-c', script).ended;
  assert.equal(answer, { code: 3, out: 'one\nthree', err: 'two\n' });
  const change = begin('change', 'sh', '-c', script);
  assert.equal(await change.ended, { code: 3, out: 'one\ntwo\nthree', err: '' });
  assert.equal(change.lines, ['one', 'two']);
  assert.equal(readdirSync(data), []);
});

running('nobody is there to be asked, and nothing of the agent but the network is handed on', async () => {
  const { begin } = runner({
    ...process.env,
    HEARTH_TOKEN: 'secret',
    https_proxy: 'http://proxy:3128',
    LC_ALL: 'de_DE',
  });
  assert.equal(await begin('ask', 'cat').ended, { code: 0, out: '', err: '' });
  const { out } = await begin('change', 'env').ended;
  assert.not.match(out, 'secret');
  for (const line of [
    'LC_ALL=C',
    'DEBIAN_FRONTEND=noninteractive',
    'NEEDRESTART_SUSPEND=1',
    'https_proxy=http://proxy:3128',
  ]) {
    assert.ok(out.split('\n').includes(line), line);
  }
});

running('an answer without end is cut off, with all of its processes', async () => {
  const { begin } = runner();
  const endless = begin('ask', 'sh', '-c', 'yes & echo $!; wait');
  const { code, err } = await endless.ended;
  assert.equal([code, err], [-1, 'sh said more than can be read']);
  const yes = Number(endless.lines.find(line => /^\d+$/.test(line)));
  await until('yes is gone', () => !isAlive(yes));
});

running('what only asks or fetches may be given up, with all of its processes; a change ends by itself', async () => {
  const { begin } = runner();
  const fetch = begin('fetch', 'sh', '-c', 'sleep 1000 & echo $!; wait');
  const pid = await until('a process', () => Number(fetch.lines[0]));
  fetch.kill();
  assert.is((await fetch.ended).code, -1);
  await until('sleep is gone', () => !isAlive(pid));

  const go = join(folder(), 'go');
  const change = begin('change', 'sh', '-c', `while [ ! -e ${go} ]; do sleep 0.05; done; echo well`);
  change.kill();
  writeFileSync(go, '');
  assert.equal(await change.ended, { code: 0, out: 'well\n', err: '' });
});

running('a file that is replaced is told of, and one in a folder that is not there yet is looked for', async () => {
  const place = folder();
  const file = join(place, 'status');
  writeFileSync(file, 'a');
  let told = 0;
  const watch = watchFiles([file], () => told++);
  writeFileSync(join(place, 'other'), 'x');
  writeFileSync(`${file}.new`, 'b');
  renameSync(`${file}.new`, file);
  await until('told', () => told === 1);
  watch.close();

  let polled = 0;
  const poll = watchFiles([join(place, 'later/file')], () => polled++, 20);
  await until('polled', () => polled > 1);
  poll.close();
});

running('the stamp of a file is another after every change of it', async () => {
  const place = folder();
  const machine = createRealMachine({ folder: join(place, 'items'), system: place });
  assert.is(machine.stamp('/var/file'), '');
  assert.is(machine.age('/var/file'), undefined);
  mkdirSync(join(place, 'var'));
  writeFileSync(join(place, 'var/file'), 'a');
  const first = machine.stamp('/var/file');
  assert.not.equal(first, '');
  assert.is(machine.stamp('/var/file'), first);
  // Older kernels give files times in steps of some milliseconds.
  const later = join(place, 'later');
  await until('files get a later time', () => {
    writeFileSync(later, '');
    return statSync(later).mtimeMs > statSync(join(place, 'var/file')).mtimeMs;
  });
  writeFileSync(join(place, 'var/file'), 'b');
  assert.is.not(machine.stamp('/var/file'), first);
  assert.ok((machine.age('/var/file') ?? -1) >= 0);
});

running.run();
