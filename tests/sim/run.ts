/** One run from one seed: a scenario drawn, faults for a while, then calm, and everything has to be well in the end. */
import { Fabric } from './fabric.ts';
import { drawFaults, type Fault, scheduleFaults } from './faults.ts';
import { presenceBounds } from './properties/presence.ts';
import { Dice } from './random.ts';
import type { Breakage, Violation } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** Absent: drawn, 1 to 4. */
  readonly nodes?: number | undefined;
  readonly kind?: 'embedded' | 'outside' | undefined;
  readonly breaks?: Breakage | undefined;
  readonly keepTrace?: boolean | undefined;
  /** Faults left out, by index, to find out which of them matter. */
  readonly without?: ReadonlySet<number> | undefined;
}

export interface Outcome {
  readonly seed: number;
  readonly kind: 'embedded' | 'outside';
  readonly nodes: number;
  readonly faults: readonly Fault[];
  readonly violation: Violation | undefined;
  readonly traceHash: number;
  readonly trace: readonly string[];
  readonly steps: number;
  /** Virtual milliseconds. */
  readonly lasted: number;
  readonly answers: number;
  /** Results of tasks on `out`. */
  readonly committed: number;
}

/** After calm, everything must be well by then: a backed-off twin's wait, the slowest backoff of a service, reconnects. */
const settleMs = 150_000;
const checkEveryMs = 1000;

export function run(options: RunOptions): Outcome {
  const { seed } = options;
  const dice = new Dice(seed, 'scenario');
  const drawnKind = dice.chance(0.5) ? 'embedded' : 'outside';
  const drawnNodes = 1 + dice.below(3);
  const kind = options.kind ?? drawnKind;
  const nodes = options.nodes ?? drawnNodes;
  const { breaks, keepTrace } = options;
  const fabric = new Fabric({ seed, kind, nodes, breaks, keepTrace });
  const { world, headquarters } = fabric;
  world.timeline.at(dice.between(0, 500), () => headquarters.start());
  for (const machine of [...fabric.machines]) {
    world.timeline.at(dice.chance(0.8) ? dice.between(0, 2000) : dice.between(0, 20_000), () => machine.startAgent());
  }
  world.weather.lateWills = dice.chance(0.5) ? 0.5 : 0;
  const busyUntil = dice.between(8000, 40_000);
  const faults = drawFaults(dice, kind, dice.below(8), 1000, busyUntil);
  const calmAt = busyUntil + 1000;
  scheduleFaults(
    fabric,
    faults.filter(fault => !options.without?.has(fault.index)),
    calmAt,
  );
  fabric.people.plan(1 + dice.below(8), busyUntil);
  fabric.senders.plan(1 + dice.below(5), busyUntil);
  fabric.tenants.plan(dice.below(6), busyUntil);
  world.timeline.at(calmAt, () => {
    world.note('FAULT', 'calm from here on');
    headquarters.powerUp();
    headquarters.start();
    for (const machine of fabric.machines) {
      machine.powerUp();
      machine.startAgent();
    }
    fabric.disturb();
    world.timeline.after(30_000, () => {
      fabric.senders.calm();
      fabric.tenants.calm();
    });
  });
  // A little longer than the faults last, and in some runs much longer, for what comes late.
  const least = calmAt + 2000 + (dice.chance(0.05) ? 40_000 : 0);
  if (world.runUntil(least) && settle(fabric, calmAt + settleMs) && dice.chance(0.25)) leave(fabric, dice, calmAt);
  if (world.violations.length === 0) {
    for (const problem of fabric.desired.kept()) world.violate('kept', problem);
  }
  return {
    seed,
    kind,
    nodes,
    faults,
    violation: world.violations[0],
    traceHash: world.traceHash,
    trace: world.trace,
    steps: world.timeline.steps,
    lasted: world.timeline.now,
    answers: fabric.desired.answers,
    committed: fabric.jobs.committed,
  };
}

function settle(fabric: Fabric, deadline: number): boolean {
  const { world } = fabric;
  for (;;) {
    const problems = fabric.unsettled();
    const [first] = problems;
    if (first === undefined) return true;
    if (world.timeline.now >= deadline) {
      world.violate(first.property, problems.map(problem => problem.text).join('; '));
      return false;
    }
    if (!world.runUntil(world.timeline.now + checkEveryMs)) return false;
  }
}

/** All is well, and then one machine leaves for good: the presence property watches how long it stays `online`. */
function leave(fabric: Fabric, dice: Dice, calmAt: number): void {
  const { world } = fabric;
  const { settle: settled, silence } = presenceBounds;
  if (!world.runUntil(Math.max(world.timeline.now, calmAt + settled))) return;
  const machine = dice.pick(fabric.machines);
  const how = dice.pick(['killed', 'off', 'cut', 'stalled'] as const);
  fabric.disturb(machine);
  world.note('FAULT', `${machine.name} leaves for good: ${how}`);
  if (how === 'killed') machine.crashAgent();
  else if (how === 'off') machine.powerCut();
  else if (how === 'stalled') machine.stall(3_600_000);
  else machine.path.cutUp = true;
  world.network.review();
  world.runUntil(world.timeline.now + silence + checkEveryMs);
}
