/**
 * A kind of items whose code is loaded when a document names the first of them, or when an earlier agent left some: an
 * agent that looks after services alone carries nothing of it.
 */
import type { Log } from '../../shared/log.ts';
import type { KindView } from './item-states.ts';
import type { KindHandlers } from './kind.ts';
import type { KindSlot } from './kind-slot.ts';
import type { Executors, StepName } from './plan.ts';

export interface LoadedKind<Item> extends KindSlot<Item>, KindView {}

export interface LazyKindParts<Item> {
  /** Such as `files`. */
  readonly kind: string;
  /** Every step of the kind. */
  readonly steps: readonly StepName[];
  /** Whether an earlier agent left something to look after. */
  readonly left: () => boolean;
  load(): Promise<LoadedKind<Item>>;
  readonly log: Log;
}

export function lazyKind<Item>({ kind, steps, left, load, log }: LazyKindParts<Item>): LoadedKind<Item> {
  let loaded: LoadedKind<Item> | undefined;
  let loading: Promise<LoadedKind<Item>> | undefined;
  let handlers: KindHandlers | undefined;
  let failure = '';
  let closed = false;

  /** `done` without it: closed meanwhile, or it cannot be loaded, which `error` tells. */
  const begin = (done: (found: LoadedKind<Item> | undefined) => void) => {
    loading ??= load().then(
      found =>
        new Promise(resolve => {
          if (handlers && !closed) found.start(handlers, () => resolve(found));
        }),
    );
    loading.then(
      found => {
        loaded = found;
        failure = '';
        done(closed ? undefined : found);
      },
      (error: Error) => {
        loading = undefined;
        // The agent's files were replaced under it, or the disk fails.
        failure = `${kind}: a part of the agent cannot be loaded (${error.message}): restart it`;
        log.error({}, failure);
        done(undefined);
      },
    );
  };

  const run = (step: StepName) => (args: never, done: (error?: string) => void) => {
    const execute = loaded?.executors[step] as ((args: never, done: (error?: string) => void) => void) | undefined;
    if (execute) execute(args, done);
    else done(failure || `${kind} are not looked after any more`);
  };

  return {
    start(given, done) {
      handlers = given;
      if (left()) begin(() => done());
      else done();
    },
    plan(wanted, done) {
      if (loaded) loaded.plan(wanted, done);
      else if (!loading && Object.keys(wanted).length === 0) done([]);
      else begin(found => (found ? found.plan(wanted, done) : done([])));
    },
    executors: Object.fromEntries(steps.map(step => [step, run(step)])) as Partial<Executors>,
    items: () => loaded?.items() ?? {},
    markOf: name => loaded?.markOf(name),
    error: () => loaded?.error() ?? failure,
    close() {
      closed = true;
      loaded?.close();
    },
  };
}
