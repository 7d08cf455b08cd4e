/**
 * Near the end of jobs.
 *
 *   SPECULATION   of a job that asked for it: nothing waits any more, and a task has run for more than a second and twice
 *                 the median of its recipe: one second copy is started on another node. The first commit wins, the other is revoked.
 *   STEALING      nodes are idle while others have tasks in hand that they do not start soon: placement says how many, they
 *                 are asked back, and queued again once they are returned.
 */
import { ranMs } from './heat.ts';
import { dispatchTimes } from './limits.ts';
import { begin, sendable } from './sending.ts';
import type { Attempt, Core, RecipeRun } from './state.ts';
import { isOver } from './state.ts';

export function watchStragglers(core: Core, run: RecipeRun): void {
  if (run.speculateTimer || run.replicas > 1) return;
  run.speculateTimer = true;
  core.timers.at(core.now + dispatchTimes.speculate, () => {
    run.speculateTimer = false;
    if (isOver(run.job) || run.live.size === 0) return;
    if (run.job.active && !run.job.paused && sendable(run) === 0 && !core.journal.stuck) startCopies(core, run);
    watchStragglers(core, run);
  });
}

/** Fewer say nothing. */
const leastTimes = 3;

function startCopies(core: Core, run: RecipeRun): void {
  if (run.times.length < leastTimes) return;
  const sorted = [...run.times].sort((a, b) => a - b);
  const limit = Math.max(1000, 2 * (sorted[sorted.length >> 1] ?? 0));
  for (const attempt of [...run.live.values()]) {
    const runs = attempt.started && !attempt.twin && attempt.frozen?.since === undefined;
    if (runs && ranMs(core, attempt) > limit) copy(core, attempt);
  }
}

function copy(core: Core, { run, index, node: first }: Attempt): void {
  core.tellLeft();
  const id = core.placer.other(run.r, new Set([first.id]), core.now);
  const node = id === undefined ? undefined : core.nodes.get(id);
  if (!node?.session || !node.ready || node === first || node.disagreed > 0) return;
  const value = run.value?.(index);
  // A reduction's values are not at hand any more.
  if (run.below) return;
  const { token, number } = begin(core, node, run, index);
  const span = { t: token, r: run.r, i: index, n: 1, a: number };
  const bytes = 80 + (value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value)));
  core.outgoing.spans(node, run, [value === undefined ? span : { ...span, v: [value] }], bytes);
  core.placer.given(node.id, run.r, 1);
}

/** At most ten times a second. */
export function rebalanceSoon(core: Core): void {
  if (core.rebalanceTimer) return;
  core.rebalanceTimer = true;
  core.timers.at(core.now + dispatchTimes.rebalance, () => {
    core.rebalanceTimer = false;
    core.tellLeft();
    for (const { node, r, n } of core.placer.rebalance(core.now)) takeBack(core, node, r, n);
  });
}

/** The last that were sent: they would have started last. */
function takeBack(core: Core, id: string, r: number, n: number): void {
  const node = core.nodes.get(id);
  if (!node?.session) return;
  const waiting = [...node.held.values()].filter(({ run, started, taken }) => run.r === r && !started && !taken);
  for (const attempt of waiting.slice(-n)) {
    attempt.taken = true;
    core.outgoing.take(node, attempt.token);
  }
}
