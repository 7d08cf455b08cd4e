/** The client library over a real broker, against a supervisor that is played (tests/fixture/scripted-jobs.ts). */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect, type Hearth, type HearthError, JobError, TaskError } from '../../client/index.ts';
import { rejection } from '../fixture/rejection.ts';
import { type Script, type ScriptedSupervisor, scriptedSupervisor } from '../fixture/scripted-jobs.ts';

const test = suite('client: map');

const plugins = {
  double: (value: number) => value * 2,
  sum: (values: number[]) => values.reduce((sum, value) => sum + value, 0),
  odd: (value: number) => {
    if (value % 2 === 0) throw new Error(`${value} is even`);
    return value;
  },
  nothing: () => undefined,
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

test('results stand in the order of the input', () =>
  on({}, async (hearth, it) => {
    assert.equal(await hearth.map('double', [1, 2, 3, 4, 5]), [2, 4, 6, 8, 10]);
    assert.equal(await hearth.map('double', '1-4'), [2, 4, 6, 8]);
    assert.equal(await hearth.map('nothing', [1, 2]), [undefined, undefined]);
    assert.equal(await hearth.map('double', []), []);
    const [first, second] = [...it.jobs.values()];
    assert.equal(first?.document, { plugin: 'double', items: [1, 2, 3, 4, 5] });
    assert.equal(second?.document, { plugin: 'double', array: '1-4' });
    assert.match(first?.id ?? '', /^double-[0-9a-f]{12}$/);
  }));

test('whatever else is said travels in the document, and nothing of the client’s own', () =>
  on({}, async (hearth, it) => {
    const options = { where: 'cores>=4', retries: 5, timeout_s: 9, concurrency: 7, id: 'mine' };
    await hearth.map({ plugin: 'double' }, [1], { ...options, onProgress: () => {} });
    assert.equal(it.jobs.get('mine')?.document, {
      ...{ where: 'cores>=4', retries: 5, timeout_s: 9, max_parallel: 7 },
      ...{ plugin: 'double', items: [1] },
    });
  }));

test('a large input becomes several jobs, their results one list', () =>
  on({}, async (hearth, it) => {
    const values = Array.from({ length: 25 }, (_, index) => index);
    const doubled = values.map(value => value * 2);
    assert.equal(await hearth.map('double', values, { id: 'parts', jobTasks: 10, concurrency: 8 }), doubled);
    assert.equal([...it.jobs.keys()], ['parts-0001', 'parts-0002', 'parts-0003']);
    assert.is(it.jobs.get('parts-0001')?.document.max_parallel, 2, 'together no more than was said');
    const pages = values.map(value => ({ value, page: 'x'.repeat(50_000) }));
    await rejection(hearth.map('double', pages.concat([{ value: 1, page: 'x'.repeat(70_000) }])), /Value 25 /);
    const sizes = [...it.jobs.values()].map(({ document }) => JSON.stringify(document).length);
    assert.ok(Math.max(...sizes) < 256 * 1024, 'none is longer than a message');
  }));

test('batches that are lost are asked for', () =>
  on({ loses: (_, seq) => seq % 3 !== 1 }, async (hearth, it) => {
    const values = Array.from({ length: 20 }, (_, index) => index);
    assert.equal(
      await hearth.map('double', values, { id: 'gaps' }),
      values.map(value => value * 2),
    );
    assert.ok(it.asked.includes('job/gaps/do/out'));
  }));

test('many more than are asked for at once', () =>
  on({ batch: 1, loses: () => true }, async hearth => {
    const values = Array.from({ length: 300 }, (_, index) => index);
    assert.equal(
      await hearth.map('double', values),
      values.map(value => value * 2),
    );
  }));

test('reduced: in one job, and across several', () =>
  on({}, async (hearth, it) => {
    assert.is(await hearth.map('double', '1-10', { reduce: 'sum' }), 110);
    const values = Array.from({ length: 95 }, (_, index) => index);
    const options = { reduce: { plugin: 'sum', fan_in: 3 }, jobTasks: 10, id: 'whole', where: 'cores>1' };
    assert.is(await hearth.map('double', values, options), 94 * 95);
    assert.equal(
      [...it.jobs.keys()].filter(id => id.includes('reduce')),
      ['whole-reduce-1', 'whole-reduce-2', 'whole-reduce-3'],
    );
    assert.is(it.jobs.get('whole-reduce-1')?.document.where, 'cores>1');
    const error = await rejection<HearthError>(hearth.map('double', [], { reduce: 'sum' }), /nothing to reduce/);
    assert.is(error.code, 'input');
  }));

test('failed tasks reject, with which and why, when all have ended', () =>
  on({}, async hearth => {
    const error = await rejection<JobError>(hearth.map('odd', [1, 2, 3, 4], { id: 'odds' }), /2 of its tasks did/);
    assert.instance(error, JobError);
    assert.is(error.code, 'failed');
    assert.equal(error.failures.map(({ task }) => task).sort(), [1, 3]);
    const [first] = error.failures;
    assert.instance(first, TaskError);
    assert.is(first?.code, 'error');
    assert.is(first?.attempts, 3);
    assert.is(first?.output, 'so far');
    assert.is(error.task, first?.task);
    assert.match(first?.message ?? '', /^odds: task \d failed on n1 \(attempt 3\): \d is even$/);
  }));

test('what the supervisor refuses rejects with its words; where it has nothing to say, by its topic', () =>
  on({ refuses: topic => (topic.includes('bad') ? 'where: no' : undefined) }, async hearth => {
    const error = await rejection<HearthError>(hearth.map('double', [1], { id: 'bad' }), /where: no/);
    assert.is(error.code, 'refused');
    const name = await rejection<HearthError>(hearth.map('double', [1], { id: 'A b' }), /not a job id/);
    assert.is(name.code, 'input');
  }));

test('a submission without an answer is sent again, and is the same job', () =>
  on({ ignores: (topic, times) => topic.endsWith('/set') && times === 1 }, async (hearth, it) => {
    assert.equal(await hearth.map('double', [1, 2], { id: 'again' }), [2, 4]);
    // Once more than twice, where the answer was long in coming.
    assert.ok(it.asked.filter(topic => topic === 'job/again/set').length >= 2, `${it.asked}`);
    assert.equal([...it.jobs.keys()], ['again']);
  }));

test('a connection that is lost comes back, and nothing is missed', () =>
  on({ atOnce: false }, async (hearth, it) => {
    const job = await hearth.run({ plugin: 'double', items: [1, 2, 3] }, { id: 'cut' });
    const down = new Promise<void>(resolve => hearth.session.client.once('close', () => resolve()));
    it.cut();
    await down;
    it.go('cut');
    assert.is((await job.done).succeeded, 3);
    const values: unknown[] = [];
    for await (const { value } of job.results()) values.push(value);
    assert.equal(values.sort(), [2, 4, 6]);
  }));

test.run();
