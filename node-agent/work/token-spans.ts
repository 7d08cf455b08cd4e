/** Tokens in a row as `[first, n]`. Pure. */
import { jobLimits } from '../../shared/schemas/job.ts';
import type { TokenSpan, WorkSpan } from '../../shared/schemas/work.ts';
import type { ExecutorTask } from './executor.ts';

/** Sorted, and as few spans as there can be. */
export function spansOf(tokens: readonly number[]): TokenSpan[] {
  const spans: TokenSpan[] = [];
  let [first, n] = [0, 0];
  for (const token of [...tokens].sort((a, b) => a - b)) {
    if (n > 0 && token === first + n && n < jobLimits.batch) n++;
    else {
      if (n > 0) spans.push([first, n]);
      [first, n] = [token, 1];
    }
  }
  if (n > 0) spans.push([first, n]);
  return spans;
}

export function* tokensIn(spans: readonly TokenSpan[] = []): Generator<number> {
  for (const [first, n] of spans) for (let token = first; token < first + n; token++) yield token;
}

/** The tasks of spans, each with its own token, index and value. */
export function* tasksIn(spans: readonly WorkSpan[] = []): Generator<ExecutorTask> {
  for (const { t, r, i, n, a, v, cp } of spans) {
    for (let nth = 0; nth < n; nth++) {
      const value = v?.[nth];
      yield {
        ...{ token: t + nth, r, index: i + nth, attempt: a },
        ...(value === undefined ? {} : { value }),
        ...(cp === undefined || n > 1 ? {} : { checkpoint: cp }),
      };
    }
  }
}
