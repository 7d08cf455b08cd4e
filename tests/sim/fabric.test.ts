/** Ten thousand random runs of the whole fabric. Runs alone: it takes every core by itself. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cpuMs } from '../fixture/promised-time.ts';
import { type PoolOutcome, runMany } from './pool.ts';
import { report } from './report.ts';
import { run } from './run.ts';

const fabric = suite('fabric in virtual time');
const runs = 10_000;

fabric(`every property holds over ${runs} random runs`, async () => {
  const started = performance.now();
  let outcome: PoolOutcome | undefined;
  const ms = (await cpuMs(async () => (outcome = await runMany(1, runs)))) / 2;
  assert.ok(outcome);
  const hours = outcome.lasted / 3_600_000;
  console.log(
    `${outcome.runs} runs, ${hours.toFixed(0)} h of virtual time, ${outcome.steps} steps, ${outcome.committed} tasks in ${((performance.now() - started) / 1000).toFixed(1)} s, ${(ms / 1000).toFixed(1)} s of two cores`,
  );
  for (const seed of outcome.failed) console.log(report({ seed }, run({ seed })));
  assert.equal(outcome.failed, [], 'seeds whose run broke a property');
  assert.is(outcome.runs, runs);
  // Nothing is proven by runs in which nothing happens.
  assert.ok(outcome.answers > runs * 2, `${outcome.answers} results`);
  assert.ok(outcome.steps > runs * 200, `${outcome.steps} steps`);
  assert.ok(outcome.committed > runs * 5, `${outcome.committed} results of tasks`);
});

fabric('a seed is its run: the same again, to the last message', () => {
  for (const seed of [1, 2, 3, 1001, 1002, 1003]) {
    const [first, second] = [run({ seed }), run({ seed, keepTrace: true })];
    assert.is(first.traceHash, second.traceHash, `seed ${seed}`);
    assert.is(first.steps, second.steps);
    assert.ok(second.trace.length > 20);
  }
  assert.is.not(run({ seed: 1 }).traceHash, run({ seed: 2 }).traceHash);
});

fabric('nodes and the kind of broker can be chosen', () => {
  const outcome = run({ seed: 5, nodes: 6, kind: 'outside', keepTrace: true });
  assert.is(outcome.nodes, 6);
  assert.is(outcome.kind, 'outside');
  assert.ok(outcome.trace.some(line => line.includes('hearth/node/n6/lwt')));
  assert.is(run({ seed: 5, nodes: 2, kind: 'embedded' }).kind, 'embedded');
});

fabric.run();
