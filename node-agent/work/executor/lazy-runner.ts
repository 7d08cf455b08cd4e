/** A runner whose code is loaded with its first lane. */
import type { Lane, LaneHandlers, Runner, Settings } from './runner.ts';

export function lazyRunner(load: () => Promise<Runner>): Runner {
  let loaded: Runner | undefined;
  let loading: Promise<Runner> | undefined;
  let settings: Settings | undefined;
  const get = () => {
    loading ??= load().then(runner => {
      if (settings) runner.configure(settings);
      loaded = runner;
      return runner;
    });
    return loading;
  };
  return {
    get ahead() {
      return loaded?.ahead ?? 1;
    },
    open(recipe, handlers) {
      return (
        loaded?.open(recipe, handlers) ??
        waitingLane(
          handlers,
          get().then(runner => runner.open(recipe, handlers)),
        )
      );
    },
    configure(said) {
      settings = said;
      loaded?.configure(said);
    },
    forget: r => loaded?.forget(r),
    rest: () => loaded?.rest(),
    close(done) {
      if (loaded) loaded.close(done);
      else done();
    },
  };
}

function waitingLane(handlers: LaneHandlers, opening: Promise<Lane>): Lane {
  const tokens: number[] = [];
  let open: Lane | undefined;
  const then = (use: (lane: Lane) => void) => {
    if (open) use(open);
    else opening.then(use, () => {});
  };
  opening.then(
    lane => {
      open = lane;
    },
    (error: Error) => {
      for (const token of tokens) {
        handlers.began(token);
        handlers.ended(token, { why: 'lost', err: `a part of the executor cannot be loaded: ${error.message}` });
      }
    },
  );
  return {
    run(tasks) {
      if (!open) tokens.push(...tasks.map(({ token }) => token));
      then(lane => lane.run(tasks));
    },
    stop: token => then(lane => lane.stop(token)),
    freeze: on => then(lane => lane.freeze(on)),
    get stopped() {
      return open?.stopped ?? false;
    },
    heat: on => then(lane => lane.heat(on)),
    close: () => then(lane => lane.close()),
  };
}
