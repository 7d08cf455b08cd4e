/** Energy of jobs is counted from the same watts as that of nodes and rooms: a plug, the processor's counter, a model. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobIs } from '../../shared/schemas/job.ts';
import { powerOf } from '../fixture/heated-room.ts';
import { spansOf, workNode } from '../fixture/jobs-rig.ts';
import { rig } from '../fixture/supervisor-rig.ts';

const test = suite('jobs: energy');

for (const plug of [false, true]) {
  test(`a job on a node ${plug ? 'with a plug' : 'of which only its processor is known'} has watt-hours`, () => {
    const one = rig();
    const node = workNode(one, 'n1');
    node.client.info({ cpu: 'Intel(R) Core(TM) i5-2400 CPU @ 3.10GHz', arch: 'x64', caps: 'jobs', cores: 4 });
    if (plug) one.ask('node/n1/set/heat/plug', '{"topic":"plug/power"}');
    let seq = 0;
    const beat = () => {
      const load = { node: 'n1', epoch: 1, cpu_pct: 50, load1: 2, mem_pct: 1, mem_mb: 1, up_s: 1 };
      node.client.part('load', { ...load, seq: ++seq, watts: 9 });
      if (plug) one.person.publish('plug/power', '72');
      one.clock.advance(5000);
      one.sync();
    };
    for (let n = 0; n < 26; n++) beat();
    one.ask('job/a/set', '{"run":"x"}');
    one.sync();
    const token = spansOf(node)[0]?.t ?? 0;
    node.report({ started: [[token, 1]] });
    beat();
    node.report({ results: [[token, 3_600_000, 1_800_000]] });
    one.clock.advance(2000);
    one.sync();
    const power = powerOf(one, 'n1');
    assert.is(power?.watts_source, plug ? 'meter' : 'rapl');
    const { wh = 0 }: JobIs = JSON.parse(one.broker.retained.get('hearth/job/a/is') ?? '{}');
    assert.ok(Math.abs(wh - (power?.watts ?? 0) / 2) < 0.5, `${wh} Wh of half an hour at ${power?.watts} W`);
  });
}

test.run();
