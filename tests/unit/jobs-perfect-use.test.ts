/**
 * Nodes, messages that take their time, and placement, in virtual time: how well the nodes are used. The dispatcher here
 * only counts; tasks are never lost.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Heap, type Heaped } from '../../broker/jobs/placement/heap.ts';
import { Placement } from '../../broker/jobs/placement/placement.ts';
import { nodeView, recipeView } from '../fixture/placement-views.ts';

interface Machine {
  readonly id: string;
  readonly slots: number;
  /** Tasks take so many times as long on it. */
  readonly slow: number;
  readonly queue: number[];
  running: number;
  /** When the last message on each way arrives: they do not overtake each other. */
  there: number;
  back: number;
  ended: number[];
  returned: number;
  flushing: boolean;
}

interface Step extends Heaped {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Runs `tasks` of one recipe, each as long as `lengthMs` says. @returns virtual ms from the first message to the last result. */
function makespan(
  machines: readonly Pick<Machine, 'slots' | 'slow'>[],
  tasks: number,
  lengthMs: (n: number) => number,
): number {
  const steps = new Heap<Step>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));
  let [now, order, seed] = [0, 0, 1];
  const later = (at: number, run: () => void) => steps.put({ heapAt: -1, at, order: order++, run });
  const random = () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const placement = new Placement();
  const nodes = new Map<string, Machine>();
  let [waiting, done, taken, last] = [tasks, 0, 0, 0];

  const flush = (node: Machine) => {
    node.flushing = false;
    const [results, returned, held] = [node.ended, node.returned, node.queue.length + node.running];
    node.ended = [];
    node.returned = 0;
    node.back = Math.max(node.back, now + 1 + 2 * random());
    later(node.back, () => {
      for (const ms of results) placement.measured(node.id, 1, ms, undefined);
      if (results.length + returned > 0) placement.left(node.id, 1, results.length + returned);
      if (results.length > 0) last = now;
      done += results.length;
      waiting += returned;
      placement.waiting(1, waiting);
      placement.room(node.id, node.slots, 10_000 - held);
      dispatch();
    });
  };
  const report = (node: Machine) => {
    if (node.flushing) return;
    node.flushing = true;
    // Results of 5 ms go in one message, but a node that runs dry says so at once.
    later(node.queue.length === 0 ? now : now + 5, () => flush(node));
  };
  const start = (node: Machine) => {
    while (node.running < node.slots) {
      const ms = node.queue.shift();
      if (ms === undefined) return;
      node.running++;
      later(now + ms, () => {
        node.running--;
        node.ended.push(ms);
        start(node);
        report(node);
      });
    }
  };
  const send = (node: Machine, run: () => void) => {
    node.there = Math.max(node.there, now + 1 + 2 * random());
    later(node.there, run);
  };
  const dispatch = () => {
    for (let choice = placement.next(now); choice; choice = placement.next(now)) {
      const node = nodes.get(choice.node) as Machine;
      const lengths = Array.from({ length: choice.n }, () => lengthMs(taken++) * node.slow);
      placement.given(choice.node, choice.r, choice.n);
      waiting -= choice.n;
      placement.waiting(1, waiting);
      send(node, () => {
        node.queue.push(...lengths);
        start(node);
      });
    }
  };
  const rebalance = () => {
    for (const { node: id, n } of placement.rebalance(now)) {
      const node = nodes.get(id) as Machine;
      send(node, () => {
        const back = node.queue.splice(Math.max(0, node.queue.length - n));
        node.returned += back.length;
        taken -= back.length;
        report(node);
      });
    }
    if (done < tasks) later(now + 100, rebalance);
  };

  machines.forEach(({ slots, slow }, n) => {
    const rest = { queue: [], running: 0, there: 0, back: 0, ended: [], returned: 0, flushing: false };
    const node: Machine = { id: `n${n}`, slots, slow, ...rest };
    nodes.set(node.id, node);
    placement.node(node.id, nodeView(node.id, { cores: slots }));
    placement.room(node.id, slots, 10_000);
  });
  placement.recipe(recipeView({ r: 1 }));
  placement.waiting(1, waiting);
  dispatch();
  rebalance();
  for (let step = steps.peek(); step && done < tasks; step = steps.peek()) {
    steps.delete(step);
    now = step.at;
    step.run();
  }
  assert.is(done, tasks, 'everything was run');
  return last;
}

const use = suite('jobs: use of nodes in virtual time');
const alike = (n: number, slots = 1) => Array.from({ length: n }, () => ({ slots, slow: 1 }));

use('tasks of 10 ms on 20 one-core nodes: at least 95 % of perfect', () => {
  const perfect = (10_000 * 10) / 20;
  const took = makespan(alike(20), 10_000, () => 10);
  assert.ok(perfect / took >= 0.95, `${((perfect / took) * 100).toFixed(1)} %`);
});

use('so it is with tasks of 2 ms, and of 200 ms, and with four cores', () => {
  for (const [ms, tasks, slots, share] of [
    [2, 50_000, 1, 0.95],
    [200, 2000, 1, 0.95],
    [10, 20_000, 4, 0.95],
  ] as const) {
    const perfect = (tasks * ms) / (20 * slots);
    const took = makespan(alike(20, slots), tasks, () => ms);
    assert.ok(perfect / took >= share, `${ms} ms, ${slots} slots: ${((perfect / took) * 100).toFixed(1)} %`);
  }
});

use('nodes of different speeds end together: within 10 % of the ideal', () => {
  for (const [ms, tasks] of [
    [10, 8000],
    [100, 800],
    [500, 400],
  ] as const) {
    const machines = Array.from({ length: 20 }, (_, n) => ({ slots: 1, slow: [1, 2, 5][n % 3] as number }));
    const perfect = (tasks * ms) / machines.reduce((sum, { slow }) => sum + 1 / slow, 0);
    const took = makespan(machines, tasks, () => ms);
    // No schedule can do better than ideal; the last task of a slow node is as long as it is.
    assert.ok(took <= perfect * 1.1 + ms, `${ms} ms: ${(took / perfect).toFixed(3)} of ideal`);
  }
});

use('lengths that nobody could foresee: within 15 %', () => {
  const lengths = (n: number) => (n % 97 === 0 ? 400 : 1 + ((n * 7919) % 20));
  const total = Array.from({ length: 20_000 }, (_, n) => lengths(n)).reduce((sum, ms) => sum + ms, 0);
  const took = makespan(alike(20), 20_000, lengths);
  assert.ok(took <= (total / 20) * 1.15, `${(took / (total / 20)).toFixed(3)} of ideal`);
});

use('few tasks go to all nodes, not to the first', () => {
  // 100 tasks on 20 nodes that are measured already would be 5 each; nothing is measured here: the first is for that.
  const took = makespan(alike(20), 100, () => 50);
  assert.ok(took <= 5 * 50 + 40);
});

use('no-ops: growing from one task to hundreds takes a few messages', () => {
  const took = makespan(alike(20), 100_000, () => 0.01);
  assert.ok(took < 600, `${took.toFixed(0)} ms`);
});

use.run();
