/** Streams, handles of jobs and signals, against a supervisor that is played (tests/fixture/scripted-jobs.ts). */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect, type Hearth, type HearthError, JobError, type Progress, TaskError } from '../../client/index.ts';
import { until } from '../fixture/processes.ts';
import { rejection } from '../fixture/rejection.ts';
import { type Script, type ScriptedSupervisor, scriptedSupervisor } from '../fixture/scripted-jobs.ts';

const test = suite('client: streams and jobs');

const plugins = {
  double: (value: number) => value * 2,
  odd: (value: number) => {
    if (value % 2 === 0) throw new Error(`${value} is even`);
    return value;
  },
  echo: (value: unknown) => value,
};

async function on(script: Script, run: (hearth: Hearth, it: ScriptedSupervisor) => Promise<void>): Promise<void> {
  const it = await scriptedSupervisor({ plugins, ...script });
  const hearth = await connect(it.url);
  try {
    await run(hearth, it);
  } finally {
    await hearth.close();
    await it.close();
  }
}

/** Numbers without end; says how many were taken. */
function numbers() {
  const state = { taken: 0, ended: false };
  async function* all() {
    try {
      for (;;) yield state.taken++;
    } finally {
      state.ended = true;
    }
  }
  return { state, all: all() };
}
const canceled = ({ jobs }: ScriptedSupervisor) =>
  [...jobs.values()].filter(({ is }) => is.state === 'canceled').length;

test('a stream gives results as they come, or in order', () =>
  on({}, async hearth => {
    const came: number[] = [];
    for await (const { index, value } of hearth.stream<number>('double', '1-5')) {
      assert.is(value, 2 * (index + 1));
      came.push(index);
    }
    assert.equal(came, [4, 3, 2, 1, 0], 'as they came');
    const values: number[] = [];
    for await (const { value } of hearth.stream<number>('double', [1, 2, 3, 4, 5, 6, 7], {
      ordered: true,
      jobTasks: 3,
    })) {
      values.push(value);
    }
    assert.equal(values, [2, 4, 6, 8, 10, 12, 14]);
  }));

test('an endless input is taken only as results are taken; leaving the loop ends it', () =>
  on({}, async (hearth, it) => {
    const { state, all } = numbers();
    let seen = 0;
    for await (const { value, index } of hearth.stream<number>('double', all, { jobTasks: 5, jobs: 2 })) {
      assert.is(value, 2 * index);
      // Two jobs under way, one that is through, and one that is being pulled.
      assert.ok(state.taken <= seen + 4 * 5 + 1, `${state.taken} were taken when ${seen} results were`);
      if (++seen === 100) break;
    }
    await until('the input is told', () => state.ended);
    assert.ok(it.jobs.size <= 23);
  }));

test('leaving the loop cancels what is still to be done', () =>
  on({ atOnce: false }, async (hearth, it) => {
    const stream = hearth.stream<number>('double', numbers().all, { id: 'left', jobTasks: 2, jobs: 3 });
    const first = stream.next();
    await until('three jobs are under way', () => it.jobs.size === 3);
    it.go('left-0002');
    assert.is((await first).value?.index, 3);
    await stream.return();
    assert.is(canceled(it), 2, 'the others');
  }));

test('a signal cancels at once, also while nobody reads', () =>
  on({ atOnce: false }, async (hearth, it) => {
    const controller = new AbortController();
    const mapping = hearth.map('double', [1, 2, 3], { id: 'aborted', signal: controller.signal });
    await until('it is under way', () => it.jobs.has('aborted'));
    controller.abort(new Error('enough'));
    assert.is((await rejection(mapping, /enough/)).message, 'enough');
    assert.is(it.jobs.get('aborted')?.is.state, 'canceled');

    const second = new AbortController();
    const stream = hearth.stream('double', [1, 2, 3], { id: 'idle', signal: second.signal });
    const first = stream.next();
    await until('it is under way', () => it.jobs.has('idle'));
    const idle = it.jobs.get('idle');
    it.say('idle', { outs: 1 });
    idle?.outs.push({ seq: 0, results: [{ index: 0, state: 'succeeded', node: 'n1', attempts: 1, ms: 1 }] });
    assert.is((await first).value?.index, 0);
    second.abort(new Error('enough'));
    await until('it is canceled while nobody reads', () => idle?.is.state === 'canceled');
    await rejection(stream.next(), /enough/);

    await rejection(
      hearth.map('double', [1], { id: 'never', signal: AbortSignal.abort(new Error('before')) }),
      /before/,
    );
    assert.not.ok(it.jobs.has('never'));
  }));

test('a failed task ends a stream with its error, or is given like the others', () =>
  on({}, async hearth => {
    const error = await rejection<TaskError>(
      (async () => {
        for await (const _ of hearth.stream('odd', [1, 2, 3], { id: 'thrown' }));
      })(),
      /2 is even/,
    );
    assert.instance(error, TaskError);
    assert.equal([error.job, error.task, error.attempts, error.output], ['thrown', 1, 3, 'so far']);
    const states: string[] = [];
    for await (const { index, state, error } of hearth.stream('odd', [1, 2, 3], { failures: 'yield', ordered: true })) {
      states.push(`${index} ${state} ${error?.code ?? ''}`);
    }
    assert.equal(states, ['0 succeeded ', '1 failed error', '2 succeeded ']);
  }));

test('somebody else’s cancel rejects with what became of it', () =>
  on({ atOnce: false }, async (hearth, it) => {
    const mapping = hearth.map('double', [1], { id: 'theirs' });
    await until('it is under way', () => it.jobs.has('theirs'));
    it.say('theirs', { state: 'timed-out', err: 'not done by its deadline', ended_ms: 1 });
    const error = await rejection<JobError>(mapping, /was timed-out: not done by its deadline/);
    assert.instance(error, JobError);
    assert.is(error.code, 'timed-out');
  }));

test('progress is told of all jobs together', () =>
  on({}, async hearth => {
    const told: Progress[] = [];
    await hearth.map('double', [1, 2, 3, 4, 5], { jobTasks: 2, onProgress: progress => told.push(progress) });
    const last = told.at(-1);
    assert.equal(last, { tasks: 5, queued: 0, running: 0, succeeded: 5, failed: 0, wh: 0 });
    assert.ok(told.every(({ tasks }, at) => tasks >= (told[at - 1]?.tasks ?? 0)));
  }));

test('a job has its state, is done once, and can be read again by whoever knows its id', () =>
  on({ atOnce: false }, async (hearth, it) => {
    const job = await hearth.run<number>({ plugin: 'double', items: [1, 2, 3] }, { id: 'held' });
    assert.is(job.id, 'held');
    assert.is(job.state, 'queued');
    const early = (async () => {
      const values: number[] = [];
      for await (const { value } of job.results()) values.push(value);
      return values;
    })();
    await job.pause();
    await job.resume();
    it.go('held');
    assert.is((await job.done).succeeded, 3);
    assert.is(job.state, 'succeeded');
    assert.equal(await early, [6, 4, 2]);
    const other = await connect(it.url);
    const again = await other.job<number>('held');
    const values: number[] = [];
    for await (const { value } of again.results()) values.push(value);
    assert.equal(values, [6, 4, 2]);
    assert.is((await again.done).state, 'succeeded');
    const unknown = await rejection<HearthError>(other.job('unheard-of'), /no such job/);
    assert.is(unknown.code, 'unknown-job');
    await other.close();
    // Once each: what has no answer after three seconds is said again.
    assert.equal(
      [...new Set(it.asked)].filter(topic => !topic.endsWith('/out')),
      ['job/held/set', 'job/held/do/pause', 'job/held/do/resume', 'job/unheard-of/do/out'].filter(
        t => !t.endsWith('/out'),
      ),
    );
  }));

test('a job that failed says which tasks did, also to who was not there; one that is tried again goes on', () =>
  on({}, async (hearth, it) => {
    const job = await hearth.run({ plugin: 'odd', items: [1, 2, 3, 4] }, { id: 'fails' });
    const error = await rejection<JobError>(job.done, /fails failed: 2 of 4 tasks/);
    assert.equal(error.failures.map(({ task }) => task).sort(), [1, 3]);
    await job.retry();
    const done = job.done;
    // By now what is retained, and says that it failed, has come again.
    await job.pause();
    it.say('fails', { state: 'running', failed: 0 });
    it.say('fails', { state: 'succeeded', succeeded: 4, ended_ms: Date.now() + 1 });
    assert.is((await done).succeeded, 4);
  }));

test('closing rejects what waits, and nothing is left that keeps the program running', () =>
  on({ atOnce: false }, async (hearth, it) => {
    const other = await connect(it.url);
    const mapping = rejection<HearthError>(other.map('double', [1], { id: 'open' }), /closed/);
    const job = await other.run({ plugin: 'double', items: [1] });
    const done = rejection<HearthError>(job.done, /closed/);
    await until('it is under way', () => it.jobs.has('open'));
    await other.close();
    assert.is((await mapping).code, 'closed');
    assert.is((await done).code, 'closed');
    assert.is((await rejection<HearthError>(other.map('double', [1]), /closed/)).code, 'closed');
    void hearth;
  }));

test('who cannot be reached, or does not let anybody in, is told in a sentence', async () => {
  const error = await rejection<HearthError>(connect('mqtt://127.0.0.1:9'), /Nobody listens at mqtt:\/\/127.0.0.1:9/);
  assert.is(error.code, 'connect');
  await rejection(connect('http://127.0.0.1'), /leads to no broker/);
  await rejection(connect('here'), /is no address/);
  await rejection(connect('mqtt://192.0.2.1', { token: 'x' }), /in the clear/);
  await rejection(connect('mqtts://192.0.2.1', { token: 'x', username: 'y' }), /not both/);
});

test.run();
