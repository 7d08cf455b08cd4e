/** A kind of items as the reconciler sees it: what differs between them is closed off here. */
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { ExecutorsOf, ItemKind, KindHandlers, StepOf } from './kind.ts';
import type { Executors, Step, StepArguments } from './plan.ts';

export interface KindSlot<Item> {
  start(handlers: KindHandlers, done: () => void): void;
  /** Looks, and answers with the steps from what is to `wanted`. */
  plan(wanted: Readonly<Record<string, Item>>, done: (steps: readonly Step[]) => void): void;
  readonly executors: Partial<Executors>;
  items(): Readonly<Record<string, ItemStatus>>;
  error(): string;
  close(): void;
}

/** @param plan pure: what is and what is wanted -> steps. */
export function slotOf<Item, Is, Names extends keyof StepArguments>(
  kind: ItemKind<Item, Is, Pick<StepArguments, Names>>,
  plan: (is: Is, wanted: Readonly<Record<string, Item>>) => readonly StepOf<Pick<StepArguments, Names>>[],
): KindSlot<Item> {
  const executors: ExecutorsOf<Pick<StepArguments, Names>> = kind.executors;
  return {
    start: (handlers, done) => kind.start(handlers, done),
    plan: (wanted, done) => kind.look(wanted, is => done(plan(is, wanted) as unknown as readonly Step[])),
    executors: executors as Partial<Executors>,
    items: () => kind.items(),
    error: () => kind.error(),
    close: () => kind.close(),
  };
}
