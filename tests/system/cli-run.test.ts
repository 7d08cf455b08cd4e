/** `hearth run` and `hearth job` as processes, against a supervisor that is played: lost batches, cut lines, Ctrl-C. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hearthCommand } from '../fixture/cluster.ts';
import { folder, type Started, start, until } from '../fixture/processes.ts';
import { type Script, type ScriptedSupervisor, scriptedSupervisor } from '../fixture/scripted-jobs.ts';

const test = suite('hearth run: played supervisor');

const plugins = {
  double: (value: number) => value * 2,
  odd: (value: number) => {
    if (value % 2 === 0) throw new Error(`${value} is even`);
    return value;
  },
  even: (value: number) => {
    throw new Error(`${value} is never even`);
  },
  sum: (values: number[]) => values.reduce((sum, value) => sum + value, 0),
};

async function on(script: Script, run: (it: ScriptedSupervisor) => Promise<void>): Promise<void> {
  const it = await scriptedSupervisor({ plugins, ...script });
  try {
    await run(it);
  } finally {
    await it.close();
  }
}

interface Ended {
  readonly code: number | string;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly process: Started;
  readonly ended: Promise<Ended>;
}

/** Standard output and errors apart; no terminal. */
function hearth({ url }: ScriptedSupervisor, ...args: readonly string[]): Running {
  const env = { ...process.env, HEARTH_BROKER: url };
  const started = start(process.execPath, [hearthCommand, ...args], { env });
  let [out, err] = ['', ''];
  started.child.stdout?.on('data', chunk => {
    out += chunk;
  });
  started.child.stderr?.on('data', chunk => {
    err += chunk;
  });
  return { process: started, ended: started.ended.then(code => ({ code, out, err })) };
}
const done = (it: ScriptedSupervisor, ...args: readonly string[]): Promise<Ended> => hearth(it, ...args).ended;

const lines = (from: number, to: number, of: (value: number) => unknown = value => value): string =>
  Array.from({ length: to - from + 1 }, (_, n) => `${of(from + n)}\n`).join('');

test('results are printed in the order of the tasks, or as they come', () =>
  on({}, async it => {
    const double = lines(1, 9, value => value * 2);
    assert.equal(await done(it, 'run', '--array', '1-9', '--plugin', 'double'), { code: 0, out: double, err: '' });
    const asTheyCome = await done(it, 'run', '--array', '1-3', '--no-order', '--tag', '--plugin', 'double');
    assert.is(asTheyCome.out, '3\t6\n2\t4\n1\t2\n');
    const json = await done(it, 'run', '--array', '1-2', '--json', '--plugin', 'double');
    assert.equal(
      json.out
        .trim()
        .split('\n')
        .map(line => JSON.parse(line)),
      [1, 2].map(i => ({
        ...{ task: i, state: 'succeeded', node: 'n1', attempts: 1, ms: 1, args: { i: String(i) }, value: i * 2 },
      })),
    );
  }));

test('the exit code counts what failed; the first are named, the others counted', () =>
  on({}, async it => {
    const some = await done(it, 'run', '--array', '1-6', '--plugin', 'odd');
    assert.is(some.code, 3);
    assert.is(some.out, '1\nso far3\nso far5\nso far');
    assert.match(some.err, /hearth: task 4 failed on n1 \(3 attempts\): 4 is even\n/);
    const many = await done(it, 'run', '--array', '1-300', '--plugin', 'even');
    assert.is(many.code, 101);
    assert.is(many.err.match(/never even/g)?.length, 10);
    assert.match(many.err, /failed: 300 of 300 tasks did/);
  }));

test('a reduction prints its result alone', () =>
  on({}, async it => {
    const reduced = await done(it, 'run', '--array', '1-10', '--plugin', 'double', '--reduce-plugin', 'sum');
    assert.equal(reduced, { code: 0, out: '110\n', err: '' });
  }));

test('batches that were lost are asked for again: nothing is missing, nothing comes twice', () =>
  on({ loses: (_, seq) => seq % 3 !== 1, batch: 7 }, async it => {
    const { code, out } = await done(it, 'run', '--array', '1-200', '--plugin', 'double');
    assert.is(code, 0);
    assert.is(
      out,
      lines(1, 200, value => value * 2),
    );
    assert.ok(it.asked.some(topic => topic.endsWith('/do/out')));
  }));

test('a connection that is cut comes back, and the job is followed to its end', () =>
  on({ atOnce: false }, async it => {
    const { process: running, ended } = hearth(it, 'run', '--id', 'cut', '--array', '1-50', '--plugin', 'double');
    await until('the job is there', () => it.jobs.has('cut'));
    it.cut();
    await running.line(/the connection is lost; trying again/);
    // Said while nobody listens.
    it.go('cut');
    const { code, out } = await ended;
    assert.is(code, 0);
    assert.is(
      out,
      lines(1, 50, value => value * 2),
    );
  }));

test('without a terminal Ctrl-C and TERM cancel, and HUP leaves the job alone', () =>
  on({ atOnce: false }, async it => {
    for (const [signal, code, state] of [
      ['SIGINT', 130, 'canceled'],
      ['SIGTERM', 143, 'canceled'],
      ['SIGHUP', 129, 'queued'],
    ] as const) {
      const id = signal.toLowerCase();
      const { process: running, ended } = hearth(it, 'run', '--id', id, '--array', '1-5', '--plugin', 'double');
      await until('the job is there', () => it.jobs.has(id));
      await until('it is followed', () => it.asked.includes(`job/${id}/set`));
      running.child.kill(signal);
      const end = await ended;
      assert.is(end.code, code, end.err);
      assert.is(it.jobs.get(id)?.is.state, state);
      assert.match(
        end.err,
        state === 'queued' ? /hearth job watch sighup/ : /was canceled; 5 of 5 tasks were not done/,
      );
    }
  }));

test('who reads no more ends the job', () =>
  on({ batch: 1000 }, async it => {
    const command = `${process.execPath} ${hearthCommand} run --id head --array 1-5000 --plugin double | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const shell = start('bash', ['-c', command], { env: { ...process.env, HEARTH_BROKER: it.url } });
    await shell.ended;
    assert.match(shell.output(), /^2\n(141|0)\n$/);
  }));

/** On a terminal of its own: what is typed goes to it, and what both streams say comes back. */
function onTerminal({ url }: ScriptedSupervisor, command: string): Started {
  return start('script', ['-qec', `exec ${process.execPath} ${hearthCommand} ${command}`, '/dev/null'], {
    env: { ...process.env, HEARTH_BROKER: url, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}
const hasScript = spawnSync('script', ['--version']).status === 0;

test('on a terminal Ctrl-C asks: c cancels, l leaves it, a second Ctrl-C cancels', async () => {
  if (!hasScript) {
    console.log('skipped: no script(1) here that opens a terminal');
    return;
  }
  await on({ atOnce: false }, async it => {
    for (const [id, keys, code, state] of [
      ['c', 'c', 130, 'canceled'],
      ['l', 'xl', 0, 'running'],
      ['twice', '\x03', 130, 'canceled'],
    ] as const) {
      const terminal = onTerminal(it, `run --id ${id} --array 1-1000 --plugin double`);
      await until('the job is there', () => it.jobs.has(id));
      it.say(id, { state: 'running', running: 2, succeeded: 10, pct: 1 });
      await terminal.line(/10\/1000 {2}2 running/);
      terminal.child.stdin?.write('\x03');
      await terminal.line(/Cancel the job, or leave it running\? \[c\/l\]/);
      terminal.child.stdin?.write(keys);
      assert.is(await terminal.ended, code, terminal.output());
      assert.is(it.jobs.get(id)?.is.state, state);
      if (id === 'l') assert.match(terminal.output(), /the job goes on: hearth job watch l/);
    }
  });
});

test('--joblog says what was done, and --resume runs only the rest', () =>
  on({}, async it => {
    const log = join(folder(), 'log');
    const args = ['run', '--array', '11-16', '--plugin', 'odd', '--joblog', log];
    assert.is((await done(it, ...args)).code, 3);
    const rows = readFileSync(log, 'utf8').trim().split('\n');
    assert.is(rows.length, 7);
    assert.match(rows.find(row => row.startsWith('2\t')) ?? '', /^2\tn1\t[\d.]+\t +0\.001\t0\t6\t255\t0\todd 12$/);
    const again = await done(it, ...args, '--resume');
    assert.is(again.code, 3);
    assert.match(again.err, /task 2 failed.*\n.*task 4 failed.*\n.*task 6 failed/);
    const sent = [...it.jobs.values()].at(-1)?.document.array;
    assert.equal(sent, ['12', '14', '16']);
    writeFileSync(log, readFileSync(log, 'utf8').replaceAll('\t255\t', '\t0\t'));
    const jobs = it.jobs.size;
    assert.equal(await done(it, ...args, '--resume'), { code: 0, out: '', err: '' });
    assert.is(it.jobs.size, jobs, 'nothing was left to be sent');
  }));

test('--resume with the id goes on watching: what was printed is not printed again', () =>
  on({}, async it => {
    const log = join(folder(), 'log');
    const args = ['run', '--id', 'watched', '--array', '1-4', '--plugin', 'double', '--joblog', log];
    await done(it, ...args);
    writeFileSync(log, readFileSync(log, 'utf8').split('\n').slice(0, 3).join('\n'));
    const { code, out } = await done(it, ...args, '--resume');
    assert.is(code, 0);
    // Committed from the last to the first: tasks 4 and 3 were in the log.
    assert.is(out, '2\n4\n');
    assert.equal(
      readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map(row => row.split('\t')[0]),
      ['Seq', '4', '3', '2', '1'],
    );
  }));

test('--detach prints the id; job out and job watch print what came of it', () =>
  on({ atOnce: false }, async it => {
    const sent = await done(it, 'run', '--detach', '--array', '1-3', '--plugin', 'double');
    assert.match(sent.out, /^double-[0-9a-f]+\n$/);
    const id = sent.out.trim();
    assert.equal(await done(it, 'job', 'out', id), { code: 0, out: '', err: '' }, 'nothing yet, and no waiting');
    const watching = hearth(it, 'job', 'watch', id);
    await until('it watches', () => it.asked.filter(topic => topic === `job/${id}/do/out`).length >= 2);
    it.go(id);
    assert.equal(await watching.ended, { code: 0, out: '2\n4\n6\n', err: '' });
    assert.equal(await done(it, 'job', 'out', id), { code: 0, out: '2\n4\n6\n', err: '' });
    assert.match((await done(it, 'job', 'out', 'nobody')).err, /no such job/);
  }));

test('looking on at a job that is left by Ctrl-C leaves it alone', () =>
  on({ atOnce: false }, async it => {
    await done(it, 'run', '--detach', '--id', 'alone', '--array', '1-3', '--plugin', 'double');
    const watching = hearth(it, 'job', 'watch', 'alone');
    await until('it watches', () => it.asked.includes('job/alone/do/out'));
    watching.process.child.kill('SIGINT');
    assert.is((await watching.ended).code, 130);
    assert.is(it.jobs.get('alone')?.is.state, 'queued');
  }));

test('orders go to each job that is named; one that is refused does not hold up the others', () =>
  on({ atOnce: false }, async it => {
    for (const id of ['a', 'b']) await done(it, 'run', '--detach', '--id', id, '--array', '1-2', '--plugin', 'double');
    const { code, out, err } = await done(it, 'job', 'cancel', 'a', 'nobody', 'b');
    assert.is(code, 1);
    assert.is(out, 'a: canceled.\nb: canceled.\n');
    assert.match(err, /nobody: do\/cancel was refused: there is no such job/);
    const list = await done(it, 'job', 'list');
    assert.match(list.out, /^JOB +STATE +DONE.*\n(a|b) +canceled +0\/2/);
    const shown = await done(it, 'job', 'show', 'a');
    assert.match(shown.out, /^a: canceled\n {2}0 of 2 tasks succeeded/);
    assert.is((await done(it, 'job', 'show', 'NOBODY')).code, 2);
  }));

test('what is wrong is said before anything is sent: 2, and 255 for what the supervisor says', () =>
  on({ refuses: topic => (topic === 'job/full/set' ? 'there are 100000 jobs already' : undefined) }, async it => {
    assert.is((await done(it, 'run', '--array', '1-3', 'echo "{}"')).code, 2);
    assert.is((await done(it, 'run', '--array', '1-3', '--jobs', 'x', 'echo', '{}')).code, 2);
    assert.is(it.jobs.size, 0);
    const refused = await done(it, 'run', '--id', 'full', '--plugin', 'double');
    assert.equal(refused, {
      code: 255,
      out: '',
      err: 'hearth: full: set was refused: there are 100000 jobs already\n',
    });
    const nobody = await done({ ...it, url: 'mqtt://127.0.0.1:9' }, 'run', 'true');
    assert.is(nobody.code, 255);
    const empty = join(folder(), 'empty');
    writeFileSync(empty, '');
    assert.equal(await done(it, 'run', '--lines', empty, 'echo', '{}'), { code: 0, out: '', err: '' });
  }));

test.run();
