/** `hearth run` and `hearth job` on a real supervisor and node. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { folder, type Started, start, until } from '../fixture/processes.ts';

const test = suite<{ cluster: Cluster; place: string }>('hearth run: real node');

test.before(async context => {
  context.cluster = await up({ flags: ['--node', 'n1', '--stop-services'] });
  context.place = folder('hearth-run-');
});
test.after(async ({ cluster }) => {
  assert.is(await cluster.process.stop(), 0);
});

interface Context {
  readonly cluster: Cluster;
  readonly place: string;
}

interface Ended {
  readonly code: number | string;
  readonly out: string;
  readonly err: string;
}

function begin({ cluster, place }: Context, args: readonly string[]): { process: Started; ended: Promise<Ended> } {
  const env = { ...process.env, HEARTH_BROKER: cluster.url, HEARTH_DATA: cluster.data };
  const started = start(process.execPath, [hearthCommand, ...args], { env, cwd: place });
  let [out, err] = ['', ''];
  started.child.stdout?.on('data', chunk => {
    out += chunk;
  });
  started.child.stderr?.on('data', chunk => {
    err += chunk;
  });
  return { process: started, ended: started.ended.then(code => ({ code, out, err })) };
}
const hearth = (context: Context, ...args: readonly string[]): Promise<Ended> => begin(context, args).ended;

test('what tasks print comes in their order, each stream for itself, and the exit code counts', async context => {
  const script = 'echo out {}; echo err {} >&2; test {} -ne 2 && test {#} -lt 4';
  const { code, out, err } = await hearth(context, 'run', '--array', '1-5', script);
  assert.is(code, 3);
  assert.is(out, 'out 1\nout 2\nout 3\nout 4\nout 5\n');
  assert.equal(err.match(/^err \d$/gm), ['err 1', 'err 2', 'err 3', 'err 4', 'err 5']);
  assert.equal(err.match(/task \d failed on n1: exit status 1/g)?.length, 3);
});

test('hostile lines are data, in scripts and in arguments', async context => {
  const lines = ["it's", '$(touch pwned)', '`touch pwned`', '; touch pwned', '-n', '"', '\\', '*', '', ' a  b ', 'é😀'];
  writeFileSync(join(context.place, 'lines'), `${lines.join('\n')}\n`);
  const expected = { code: 0, out: lines.map(line => `<${line}>\n`).join(''), err: '' };
  assert.equal(await hearth(context, 'run', '--lines', 'lines', `printf '<%s>\\n' {}`), expected);
  assert.equal(await hearth(context, 'run', '--lines', 'lines', '--', 'printf', '<%s>\\n', '{}'), expected);
  assert.not(existsSync(join(context.place, 'pwned')));
});

test('inputs go there, outputs come back, and output that is longer than a message comes whole', async context => {
  writeFileSync(join(context.place, 'in.txt'), 'hello\n');
  const script = '(cat {in}; echo {}) > {res}';
  const args = ['--input', 'in=in.txt', '--output', 'res=out/r.txt', '--output-dir', 'got'];
  assert.equal(await hearth(context, 'run', '--array', '7-8', ...args, script), { code: 0, out: '', err: '' });
  assert.is(readFileSync(join(context.place, 'got/1/out/r.txt'), 'utf8'), 'hello\n7\n');
  assert.is(readFileSync(join(context.place, 'got/2/out/r.txt'), 'utf8'), 'hello\n8\n');
  const { out } = await hearth(context, 'run', 'seq 50000');
  assert.is(out, Array.from({ length: 50_000 }, (_, n) => `${n + 1}\n`).join(''));
});

test('a program of this folder is found', async context => {
  writeFileSync(join(context.place, 'solve'), '#!/bin/sh\necho solved "$@"\n', { mode: 0o755 });
  const { out, code } = await hearth(context, 'run', '--array', '1-2', '--', './solve', '--seed', '{}');
  assert.equal({ out, code }, { out: 'solved --seed 1\nsolved --seed 2\n', code: 0 });
});

test('the joblog has exit status and signal, and --resume runs only what did not succeed', async context => {
  const script = 'test {} -ne 2 || kill -9 $$; test {} -ne 3 || exit 7';
  const args = ['run', '--array', '1-4', '--joblog', 'log'];
  assert.is((await hearth(context, ...args, script)).code, 2);
  const rows = readFileSync(join(context.place, 'log'), 'utf8').trim().split('\n').slice(1);
  const seen = rows.map(row => row.split('\t')).map(([seq, host, , , , , exit, signal]) => [seq, host, exit, signal]);
  assert.equal(seen.sort(), [
    ['1', 'n1', '0', '0'],
    ['2', 'n1', '0', '9'],
    ['3', 'n1', '7', '0'],
    ['4', 'n1', '0', '0'],
  ]);
  const again = await hearth(context, ...args, '--resume', '--tag', 'echo again {}');
  assert.equal(again, { code: 0, out: '2\tagain 2\n3\tagain 3\n', err: '' });
});

/** Processes whose command line has the word as an argument of its own. */
const running = (word: string): number =>
  readdirSync('/proc').filter(pid => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(`sleep\0${word}\0`);
    } catch {
      return false;
    }
  }).length;

test('Ctrl-C cancels, and what ran is gone', async context => {
  const { process: started, ended } = begin(context, ['run', '--array', '1-3', 'sleep 76543 & sleep 76543; echo {}']);
  await until('tasks run', () => running('76543') >= 2);
  started.child.kill('SIGINT');
  const { code, out, err } = await ended;
  assert.is(code, 130);
  assert.is(out, '');
  assert.match(err, /was canceled; 3 of 3 tasks were not done/);
  await until('its processes are gone', () => running('76543') === 0);
});

test('a job is sent, looked at, changed, ended and forgotten', async context => {
  const { out: sent } = await hearth(context, 'run', '--detach', '--id', 'slow', '--array', '1-3', 'sleep 76544');
  assert.is(sent, 'slow\n');
  const again = await hearth(context, 'run', '--detach', '--id', 'slow', '--array', '1-4', 'sleep 76544');
  assert.is(again.code, 255);
  assert.match(again.err, /slow: set was refused: /);
  const said = async (...args: string[]) => (await hearth(context, 'job', ...args)).out;
  assert.is(await said('priority', 'slow', '--', '-7'), 'slow: its priority is -7.\n');
  assert.is(await said('pause', 'slow'), 'slow: paused: what runs goes on.\n');
  assert.match(await said('show', 'slow'), /slow: \w+, paused\n.*\n.*\n.*"run":"sleep 76544"/);
  assert.match(await said('explain', 'slow'), /n1 /);
  assert.is(await said('cancel', 'slow'), 'slow: canceled.\n');
  assert.match(await said('list'), /slow +canceled +0\/3/);
  assert.is(await said('forget', 'slow'), 'slow: forgotten.\n');
  assert.match((await hearth(context, 'job', 'show', 'slow')).err, /There is no job slow/);
  await until('its processes are gone', () => running('76544') === 0);
});

test('why nothing happens is said: before, and while somebody waits', async context => {
  const explained = await hearth(context, 'run', '--explain', '--where', 'cores>=4000', '--', 'true');
  assert.is(explained.code, 1);
  assert.match(explained.out, /n1 +no +cores is \d+, needs >= 4000/);
  assert.is((await hearth(context, 'run', '--explain', '--', 'true')).code, 0);
  const { process: started, ended } = begin(context, ['run', '--plugin', 'not-there']);
  await started.line(/hearth: the job waits for a node that may run it: n1: .*not-there/);
  started.child.kill('SIGINT');
  assert.is((await ended).code, 130);
});

test.run();
