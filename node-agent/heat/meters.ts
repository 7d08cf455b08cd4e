/** What the three classes of heat used since the last look, in cores. */
import type { Measured } from './core.ts';

type Sums = { readonly [Name in 'tasks' | 'filler' | 'burner']: number | undefined };

export class HeatMeters {
  #last: { readonly sums: Sums; readonly at: number } | undefined;

  /** Nothing of before counts any more. */
  clear(): void {
    this.#last = undefined;
  }

  /** @param sums ms of processor time so far; undefined where nobody counts. @param at monotonic ms. */
  look(sums: Sums, at: number): Measured | undefined {
    const last = this.#last;
    this.#last = { sums, at };
    const ms = last ? at - last.at : 0;
    if (!last || ms <= 0) return undefined;
    const cores = (name: keyof Sums): number | undefined => {
      const [before, now] = [last.sums[name], sums[name]];
      // A sum that falls is another group's: somebody made it anew.
      return now === undefined ? undefined : Math.max(0, now - (before ?? now)) / ms;
    };
    const tasks = cores('tasks');
    return { filler: cores('filler') ?? 0, burner: cores('burner') ?? 0, ...(tasks === undefined ? {} : { tasks }) };
  }
}
