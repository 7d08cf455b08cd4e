import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileArray } from '../../shared/jobs/array.ts';
import { arraySchema, type JobArray, jobLimits } from '../../shared/schemas/job.ts';
import { cpuMs } from '../fixture/promised-time.ts';

const arrays = suite('arrays of jobs');

function compiled(array: unknown) {
  const result = compileArray(arraySchema.parse(array));
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

/** All values of an array with one dimension. */
function values(array: unknown): readonly (string | undefined)[] {
  const { n, at } = compiled(array);
  return Array.from({ length: n }, (_, index) => at(index).i);
}

function problem(array: JobArray): string {
  const result = compileArray(array);
  if (result.ok) throw new Error(`${JSON.stringify(array)} was taken`);
  return `${result.error.code} ${result.error.at}: ${result.error.message}`;
}

arrays('ranges: up, down, with a step, several, padded, negative', () => {
  assert.equal(values('1-4'), ['1', '2', '3', '4']);
  assert.equal(values('3-1'), ['3', '2', '1']);
  assert.equal(values('0-10:5'), ['0', '5', '10']);
  assert.equal(values('0-9:5'), ['0', '5']);
  assert.equal(values('10-0:4'), ['10', '6', '2']);
  assert.equal(values('1-3, 7 ,9'), ['1', '2', '3', '7', '9']);
  assert.equal(values('008-011'), ['008', '009', '010', '011']);
  assert.equal(values('07'), ['07']);
  assert.equal(values('0-2'), ['0', '1', '2']);
  assert.equal(values('-1-1'), ['-1', '0', '1']);
  assert.equal(values('-3--1'), ['-3', '-2', '-1']);
  assert.equal(values('-01-1'), ['-01', '00', '01']);
});

arrays('lists keep what is written in them', () => {
  assert.equal(values(['b', '007', 1.5, '', 'x y', 7]), ['b', '007', '1.5', '', 'x y', '7']);
});

arrays('dimensions with names: every combination, the last one fastest', () => {
  const { n, names, at } = compiled({ size: ['s', 'm'], seed: '1-3' });
  assert.is(n, 6);
  assert.equal(names, ['size', 'seed']);
  const all = Array.from({ length: n }, (_, index) => `${at(index).size}${at(index).seed}`);
  assert.equal(all, ['s1', 's2', 's3', 'm1', 'm2', 'm3']);
  assert.equal(compiled({ lines: '1-2' }).names, ['lines']);
});

arrays('ten million tasks are not spelled out', async () => {
  const ms = await cpuMs(async () => {
    const { n, at } = compiled('1-10000000');
    assert.is(n, jobLimits.tasks);
    assert.equal(at(n - 1), { i: '10000000' });
    const product = compiled({ a: '1-1000', b: '1-10000' });
    assert.equal(product.at(jobLimits.tasks - 1), { a: '1000', b: '10000' });
  });
  assert.ok(ms < 100, `${ms} ms`);
});

arrays('what is not there is no task', () => {
  const { at } = compiled('1-3');
  for (const index of [-1, 3, 0.5, Number.NaN]) assert.throws(() => at(index), /no task/);
});

arrays('errors say which dimension, what is wrong and what to do', () => {
  for (const text of ['', 'a', '1-', '-', '1-2-3', '1,,2', '1-5:', '1..5', '0x10', '1e3', '1'.repeat(16), '1-2:-1']) {
    assert.match(problem(text), /^schema array: .* is not a range: write 1-100/, text);
  }
  assert.match(problem({ seed: 'x' }), /^schema array\.seed: /);
  assert.match(problem('1-5:0'), /step of 0: use 1 or more/);
  assert.match(problem([]), /no values/);
  assert.match(problem({}), /name at least one dimension/);
  assert.match(problem(Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`d${n}`, '1']))), /at most 16/);
  assert.match(problem({ lines: `artifact:${'0'.repeat(64)}` }), /not-available array: .*not read yet/);
});

arrays('more tasks than a job may have are refused, however they come about', () => {
  const too = /too-large .*10000000 at most/;
  assert.match(problem('0-10000000'), too);
  assert.match(problem('1-10000000,1'), too);
  assert.match(problem('-999999999999999-999999999999999'), too);
  assert.match(problem(Array(100).fill('0-999999999999999').join(',')), too);
  assert.match(problem({ a: '1-10000', b: '1-1001' }), too);
  const wide = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`d${n}`, '1-999999999999999']));
  assert.match(problem(wide), too);
});

arrays('a range is what counting gives', () => {
  const bound = fc.integer({ min: -2000, max: 2000 });
  fc.assert(
    fc.property(bound, bound, fc.integer({ min: 1, max: 50 }), (from, to, by) => {
      const expected: string[] = [];
      if (from <= to) for (let value = from; value <= to; value += by) expected.push(String(value));
      else for (let value = from; value >= to; value -= by) expected.push(String(value));
      assert.equal(values(`${from}-${to}:${by}`), expected);
    }),
    { numRuns: 300 },
  );
});

arrays('parts after each other are as if each stood alone', () => {
  const part = fc.tuple(fc.nat(300), fc.nat(300)).map(([from, to]) => `${from}-${to}`);
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), parts => {
      assert.equal(
        values(parts.join(',')),
        parts.flatMap(text => values(text)),
      );
    }),
    { numRuns: 100 },
  );
});

arrays.run();
