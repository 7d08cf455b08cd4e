/** Runs a talk with a package manager: its commands one after the other, its pauses, and what it tells people. */
import type { Clock, Timer } from '../../../shared/clock.ts';
import type { Command, Finished, Progress, Talk } from './provider.ts';

/** Runs one command; `done` is called exactly once, later. */
export type RunCommand = (
  command: Command,
  line: (line: string) => void,
  done: (finished: Finished) => void,
) => { kill(): void };

const paused: Finished = { code: 0, out: '', err: '' };

/** Runs a command within a talk. */
export function* run(command: Command): Talk<Finished> {
  return yield command;
}

export function* ask(...argv: readonly string[]): Talk<Finished> {
  return yield { kind: 'ask', argv };
}

/**
 * Calls `done` exactly once, with what the talk came to, or with undefined where it was abandoned: at once while
 * something runs that may be killed, after it where not.
 */
export function drive<T>(
  talk: Talk<T>,
  parts: { readonly clock: Clock; readonly run: RunCommand; readonly tell: (progress: Progress) => void },
  done: (result: T | undefined) => void,
): { abandon(): void } {
  let over = false;
  let abandoned = false;
  let timer: Timer | undefined;
  let running: { kill(): void } | undefined;
  let killable = true;

  const finish = (result: T | undefined) => {
    if (over) return;
    over = true;
    done(result);
  };
  const next = (answer: Finished) => {
    if (over) return;
    if (abandoned) return finish(undefined);
    for (let turn = talk.next(answer); ; turn = talk.next(paused)) {
      if (turn.done) return finish(turn.value);
      const asked = turn.value;
      if ('tell' in asked) {
        parts.tell(asked.tell);
        continue;
      }
      if ('pauseMs' in asked) {
        timer = parts.clock.after(asked.pauseMs, () => next(paused));
        killable = true;
        return;
      }
      killable = asked.kind !== 'change';
      const line = (text: string) => {
        const progress = over ? undefined : asked.progress?.(text);
        if (progress) parts.tell(progress);
      };
      running = parts.run(asked, line, finished => {
        running = undefined;
        next(finished);
      });
      return;
    }
  };
  next(paused);
  return {
    abandon() {
      if (over) return;
      abandoned = true;
      if (!killable) return;
      timer?.cancel();
      running?.kill();
      parts.clock.after(0, () => finish(undefined));
    },
  };
}
