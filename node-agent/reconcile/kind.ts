/**
 * What all kinds of items but services have in common: they are looked at, planned (purely), and done step by step.
 * Services have a life between the steps and are a table of their own.
 */
import type { ItemStatus } from '../../shared/schemas/observed.ts';

/** Steps by name and arguments -> one step of a plan. */
export type StepOf<Steps> = {
  [Name in keyof Steps]: {
    /** Unique in its plan: what other steps name in `after`, such as `packages/apt`. */
    readonly id: string;
    readonly step: Name;
    readonly args: Steps[Name];
    /** Ids of steps that must have been attempted first, whatever their outcome. */
    readonly after: readonly string[];
  };
}[keyof Steps];

/** Step name -> who does it. `done` is called exactly once, with one sentence where it went wrong. */
export type ExecutorsOf<Steps> = {
  readonly [Name in keyof Steps]: (args: Steps[Name], done: (error?: string) => void) => void;
};

export interface KindHandlers {
  /** `items()` or `error()` may be other than before. Calls are gathered by whoever hears them. */
  changed(): void;
  /** The machine is no longer what was seen (drift), or a failed step is due for another try: look and plan again. */
  again(): void;
  /** Worth a line in the agent's log. */
  notice(level: 'info' | 'warn' | 'error', kind: string, text: string): void;
}

/**
 * One kind of items, with its own ledger on disk of what it put on this machine. Calls come from one place, one plan at
 * a time: `look`, then the steps planned from it; a `look` during steps means that the plan before was given up.
 */
export interface ItemKind<Item, Is, Steps> {
  /** Once, first: reads the ledger, and puts right what an agent that was killed left half done. */
  start(handlers: KindHandlers, done: () => void): void;
  /**
   * Looks at the machine as far as planning these items needs. Never fails: what cannot be looked at is part of `Is`.
   * With nothing wanted and an empty ledger it calls `done` before it returns.
   */
  look(wanted: Readonly<Record<string, Item>>, done: (is: Is) => void): void;
  readonly executors: ExecutorsOf<Steps>;
  /** Keyed by path, such as `packages/chuffed`. */
  items(): Readonly<Record<string, ItemStatus>>;
  /** The first item, by name, that is not as wanted, as one sentence; `""` for none. */
  error(): string;
  close(): void;
}
