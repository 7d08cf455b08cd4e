/**
 * Runs a plan: every step attempted once, all at the same time but for those that name others in `after`: these
 * begin when the named ones have been attempted. One step's failure stops no other. No I/O of its own, no promises.
 */
import type { Executors, Step } from './plan.ts';

export interface StepOutcome {
  readonly step: Step;
  readonly error?: string;
}

export interface PlanRun {
  /** Steps not begun are never begun; outcomes of those under way are no longer reported. */
  abandon(): void;
}

/** Calls `done` exactly once, with the outcomes in the plan's order, unless abandoned. */
export function runPlan(
  steps: readonly Step[],
  executors: Partial<Executors>,
  done: (outcomes: readonly StepOutcome[]) => void,
): PlanRun {
  const outcomes = new Map<string, StepOutcome>();
  const known = new Set(steps.map(step => step.id));
  const waiting = [...steps];
  let busy = 0;
  let over = false;
  let turning = false;

  const finish = (step: Step, error: string | undefined) => {
    if (over || outcomes.has(step.id)) return;
    outcomes.set(step.id, error === undefined ? { step } : { step, error });
    busy--;
    turn();
  };
  const ready = (step: Step) => step.after.every(id => !known.has(id) || outcomes.has(id));

  function turn(): void {
    // Executors may answer at once: one loop, not a recursion as deep as the plan is long.
    if (turning) return;
    turning = true;
    while (!over) {
      const index = waiting.findIndex(ready);
      const [step] = index < 0 ? [] : waiting.splice(index, 1);
      // Steps that wait for each other in a circle are attempted in their order instead of never.
      const next = step ?? (busy === 0 ? waiting.shift() : undefined);
      if (!next) break;
      busy++;
      const execute = executors[next.step] as
        | ((args: Step['args'], done: (error?: string) => void) => void)
        | undefined;
      if (!execute) throw new Error(`nobody does ${next.step}`);
      execute(next.args, error => finish(next, error));
    }
    turning = false;
    if (!over && busy === 0 && waiting.length === 0) {
      over = true;
      done(steps.flatMap(step => outcomes.get(step.id) ?? []));
    }
  }
  turn();
  return {
    abandon() {
      over = true;
    },
  };
}
