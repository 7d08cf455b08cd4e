/** What is canceled is ended everywhere: with all its descendants, on nodes that hear of it late, and where an agent was killed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { processesOf } from '../fixture/jobs-faults-check.ts';
import { FaultyCluster } from '../fixture/jobs-faults-cluster.ts';
import { until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const canceling = suite('jobs: cancel under faults');

testWith(
  canceling,
  ['setsid'],
  'what is canceled is gone on all nodes, also where an agent was killed in between',
  async () => {
    const cluster = await FaultyCluster.begin();
    const { watch, nodes } = cluster;
    const run = 'setsid sleep 1000 & (sleep 1001 &); trap "" TERM; sleep 1002; sleep 1003';
    const perTask = 3;
    const tasks = nodes.length * 4;
    const begin = async (id: string) => {
      await watch.send(id, { run, array: `1-${tasks}`, policy: 'spread' });
      await until(`all of ${id} runs`, () => processesOf(id).length >= tasks * perTask);
    };
    const canceled = async (id: string) => {
      assert.ok((await watch.ask(`hearth/job/${id}/do/cancel`, {}))?.ok);
      await watch.until(`${id} has ended`, () => watch.is.get(id)?.ended_ms !== undefined);
      assert.is(watch.is.get(id)?.state, 'canceled');
    };
    const gone = (id: string) =>
      until(
        () => `left of ${id}: ${processesOf(id)}`,
        () => processesOf(id).length === 0,
      );

    await begin('simple');
    await canceled('simple');
    await gone('simple');

    await begin('killed');
    await nodes[0]?.kill();
    await canceled('killed');
    nodes[0]?.start();
    await gone('killed');

    await begin('frozen');
    nodes[1]?.cable.freeze();
    await canceled('frozen');
    nodes[1]?.cable.heal();
    await gone('frozen');
    await cluster.end();
  },
);

canceling.run();
