/** Files and packages of a simulated node: what is wanted is there after a moment, and nothing else ever happens to it. */
import type { Clock } from '../../shared/clock.ts';
import { sameJson } from '../../shared/same-json.ts';
import type { LoadedKind } from './lazy-kind.ts';
import type { Executors, Step, StepName } from './plan.ts';

/** @param kind with one of its steps, which stands for all of them. @param ms how long a change takes. */
function simulatedKind<Item extends object>(
  kind: 'files' | 'packages',
  step: StepName,
  ms: number,
  clock: Clock,
): LoadedKind<Item> {
  const is = new Map<string, Item>();
  const since = new Map<string, number>();
  interface Change {
    readonly name: string;
    readonly item: Item | undefined;
  }
  const act = ({ name, item }: Change, done: (error?: string) => void) => {
    clock.after(ms, () => {
      if (item) is.set(name, item);
      else is.delete(name);
      since.set(name, clock.wall());
      done();
    });
  };
  const stepOf = (args: Change) => ({ id: `${kind}/${args.name}`, step, args, after: [] }) as unknown as Step;
  return {
    start: (_, done) => done(),
    plan(wanted, done) {
      const changed = Object.entries(wanted).filter(([name, item]) => !sameJson(is.get(name), item));
      const gone = [...is.keys()].filter(name => !Object.hasOwn(wanted, name));
      done([
        ...changed.map(([name, item]) => stepOf({ name, item })),
        ...gone.map(name => stepOf({ name, item: undefined })),
      ]);
    },
    executors: { [step]: act } as unknown as Partial<Executors>,
    items: () =>
      Object.fromEntries(
        [...is.keys()].map(name => [`${kind}/${name}`, { state: 'ok', since_ms: since.get(name) ?? 0 }]),
      ),
    markOf: name => since.get(name)?.toString(),
    error: () => '',
    close() {},
  };
}

/** A file is there after 5 ms, a package after two seconds. */
export const simulatedFiles = <Item extends object>(clock: Clock): LoadedKind<Item> =>
  simulatedKind<Item>('files', 'file.write', 5, clock);
export const simulatedPackages = <Item extends object>(clock: Clock): LoadedKind<Item> =>
  simulatedKind<Item>('packages', 'packages.change', 2000, clock);
