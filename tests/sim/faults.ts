/** What goes wrong: each fault begins, lasts a while, and is over; when a run calms down all of them are over. */
import { type Fabric, trueCluster } from './fabric.ts';
import type { Machine } from './machine.ts';
import type { Dice } from './random.ts';

export interface Fault {
  readonly index: number;
  readonly kind: FaultKind;
  /** When it begins, and how long it lasts, milliseconds. */
  readonly at: number;
  readonly ms: number;
  /** Chooses the machine, and whatever else is to be chosen. */
  readonly pick: number;
}

/** Begins a fault; what it returns ends it. Returning nothing: it was over at once, or could not be. */
type Begin = (fabric: Fabric, fault: Fault, dice: Dice) => (() => void) | undefined;

const machineOf = (fabric: Fabric, fault: Fault): Machine =>
  fabric.machines[Math.floor(fault.pick * fabric.machines.length)] as Machine;

/** A fault of one machine. */
const onMachine =
  (begin: (machine: Machine, fault: Fault, dice: Dice, fabric: Fabric) => (() => void) | undefined): Begin =>
  (fabric, fault, dice) => {
    const machine = machineOf(fabric, fault);
    fabric.disturb(machine);
    const end = begin(machine, fault, dice, fabric);
    return () => {
      fabric.disturb(machine);
      end?.();
      fabric.world.network.review();
    };
  };

/** A fault that everybody feels. */
const onAll =
  (begin: (fabric: Fabric, fault: Fault, dice: Dice) => (() => void) | undefined): Begin =>
  (fabric, fault, dice) => {
    fabric.disturb();
    const end = begin(fabric, fault, dice);
    return () => {
      fabric.disturb();
      end?.();
      fabric.world.network.review();
    };
  };

const cut = (up: boolean, down: boolean) =>
  onMachine(machine => {
    if (up) machine.path.cutUp = true;
    if (down) machine.path.cutDown = true;
    return () => {
      if (up) machine.path.cutUp = false;
      if (down) machine.path.cutDown = false;
    };
  });

const faultTable = {
  'cable cut': cut(true, true),
  'way up cut': cut(true, false),
  'way down cut': cut(false, true),
  'slow network': onMachine(machine => {
    machine.path.delay = [50, 600];
    return () => {
      machine.path.delay = [0.2, 3];
    };
  }),
  'agent killed': onMachine(machine => {
    machine.crashAgent();
    return () => machine.startAgent();
  }),
  'agent stopped': onMachine(machine => {
    machine.stopAgent();
    return () => machine.startAgent();
  }),
  'agent stalled': onMachine((machine, fault) => {
    machine.stall(fault.ms);
    return undefined;
  }),
  'machine off': onMachine(machine => {
    machine.powerCut();
    return () => machine.powerUp();
  }),
  'agent disk full': onMachine(machine => {
    machine.disk.full = true;
    return () => {
      machine.disk.full = false;
    };
  }),
  'service dies': onMachine((machine, fault, dice) => {
    machine.killService(dice.next(), fault.pick < 0.5);
    return undefined;
  }),
  'executor dies': onMachine(machine => {
    machine.tasks.executorDies();
    return undefined;
  }),
  'failing starts': onMachine(machine => {
    machine.simulated.faults.startFails = 0.5;
    return () => {
      machine.simulated.faults.startFails = 0;
    };
  }),
  reinstall: onMachine(machine => {
    machine.reinstall(trueCluster);
    return undefined;
  }),
  'image restored': onMachine((machine, _fault, _dice, fabric) => {
    if (machine.node === undefined) return undefined;
    const image = machine.disk.image();
    return () => {
      if (fabric.machines.includes(machine)) machine.restore(image);
    };
  }),
  twin: onMachine((machine, fault, dice, fabric) => {
    const { node } = machine;
    if (node === undefined) return undefined;
    const other = fabric.addMachine({
      ...machine.options,
      name: `twin${fault.index}`,
      ...(dice.chance(0.5) ? { node } : {}),
      hostname: node,
      cluster: trueCluster,
    });
    other.startAgent();
    return () => fabric.removeMachine(other);
  }),
  clone: onMachine((machine, fault, _dice, fabric) => {
    if (machine.disk.memory?.cluster === undefined) return undefined;
    const other = fabric.addMachine({ ...machine.options, name: `clone${fault.index}` });
    other.disk.restore(machine.disk.image());
    other.startAgent();
    return () => fabric.removeMachine(other);
  }),
  'supervisor killed': onAll(fabric => {
    fabric.headquarters.crash();
    return () => fabric.headquarters.start();
  }),
  'supervisor stopped': onAll(fabric => {
    fabric.headquarters.stop();
    return () => fabric.headquarters.start();
  }),
  'supervisor off': onAll(fabric => {
    fabric.headquarters.powerCut();
    return () => fabric.headquarters.powerUp();
  }),
  // No disturbance: a stall is no excuse for calling anybody offline.
  'supervisor stalled': (fabric, fault) => {
    fabric.headquarters.stall(fault.ms);
    return undefined;
  },
  'supervisor disk full': onAll(fabric => {
    fabric.headquarters.fillDisk(true);
    return () => fabric.headquarters.fillDisk(false);
  }),
  'supervisor cut off': onAll((fabric, fault) => {
    const { path } = fabric.headquarters;
    path.cutUp = fault.pick < 0.7;
    path.cutDown = fault.pick > 0.3;
    return () => {
      path.cutUp = false;
      path.cutDown = false;
    };
  }),
  'broker killed': onAll(fabric => {
    fabric.killBroker();
    return () => fabric.startBroker();
  }),
  'foreign supervisor': onAll((fabric, _fault, dice) => {
    // A node that has joined nobody yet may join the first it hears: that is no fault of anybody's.
    const joined = fabric.machines.every(machine => machine.cluster !== undefined || machine.disk.memory?.cluster);
    if (!joined || fabric.impostor) return undefined;
    const beside = fabric.world.kind === 'outside' && dice.chance(0.5);
    if (!beside) fabric.headquarters.crash();
    fabric.startImpostor();
    return () => {
      fabric.endImpostor();
      fabric.headquarters.start();
    };
  }),
  // No disturbance: nothing may go by the wall clock.
  'clock jumps a day': (fabric, fault) => {
    fabric.headquarters.jumpWall(fault.pick < 0.5 ? 86_400_000 : -86_400_000);
    return undefined;
  },
  'late wills': onAll(fabric => {
    const { weather } = fabric.world;
    const before = weather.lateWills;
    weather.lateWills = 0.7;
    return () => {
      weather.lateWills = before;
    };
  }),
  'lost telemetry': onAll(fabric => {
    fabric.world.weather.loseQos0 = 0.3;
    return () => {
      fabric.world.weather.loseQos0 = 0;
    };
  }),
} satisfies Record<string, Begin>;

export type FaultKind = keyof typeof faultTable;

const everywhere = (Object.keys(faultTable) as FaultKind[]).filter(
  kind => kind !== 'broker killed' && kind !== 'supervisor cut off',
);
const outsideOnly: readonly FaultKind[] = ['broker killed', 'supervisor cut off'];

/** Draws `count` faults that begin between `from` and `until`. */
export function drawFaults(
  dice: Dice,
  kind: 'embedded' | 'outside',
  count: number,
  from: number,
  until: number,
): Fault[] {
  const all = kind === 'outside' ? [...everywhere, ...outsideOnly, ...outsideOnly] : everywhere;
  // A few kinds per run, so that those meet which would rarely meet if all were drawn from (swarm testing, Groce 2012).
  const kinds = dice.chance(0.3) ? all : Array.from({ length: 4 }, () => dice.pick(all));
  const faults: Fault[] = [];
  for (let index = 0; index < count; index++) {
    const at = dice.between(from, until);
    const long = dice.chance(0.3);
    faults.push({ index, kind: dice.pick(kinds), at, ms: dice.between(50, long ? 15_000 : 4000), pick: dice.next() });
  }
  return faults;
}

/** Lets the faults happen, and ends all that are still going on at `calmAt`. */
export function scheduleFaults(fabric: Fabric, faults: readonly Fault[], calmAt: number): void {
  const { world } = fabric;
  for (const fault of faults) {
    const dice = world.stream(`fault ${fault.index}`);
    world.timeline.at(fault.at, () => {
      world.note('FAULT', `${fault.index}: ${fault.kind}, ${Math.round(fault.ms)} ms`);
      const end = faultTable[fault.kind](fabric, fault, dice);
      if (!end) return;
      world.timeline.at(Math.min(fault.at + fault.ms, calmAt), () => {
        world.note('FAULT', `${fault.index}: ${fault.kind}, over`);
        end();
        world.network.review();
      });
      world.network.review();
    });
  }
}
