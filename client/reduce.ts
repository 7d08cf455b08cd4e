/** The results of several jobs' reductions, reduced to one: by jobs of the same kind. */
import { HearthError } from './errors.ts';
import type { Hearth } from './hearth.ts';
import { plainOf } from './results.ts';
import type { JobInput, MapOptions } from './work.ts';

/** @param partials in the order of the input. @throws HearthError `input` where there is nothing. */
export async function reduceOnce<T>(
  hearth: Hearth,
  reduction: NonNullable<JobInput['reduce']>,
  partials: readonly T[],
  id: string,
  options: MapOptions,
): Promise<T> {
  const { fan_in: fanIn = 100, ...work } = reduction;
  const keep = options.keep_h === undefined ? {} : { keep_h: options.keep_h };
  const { where, signal } = options;
  let left = partials;
  for (let round = 1; left.length > 1; round++) {
    const lists: (readonly T[])[] = [];
    for (let from = 0; from < left.length; from += fanIn) lists.push(left.slice(from, from + fanIn));
    const rest = { ...keep, ...(where === undefined ? {} : { where }), ...(signal === undefined ? {} : { signal }) };
    const roundId = `${id.slice(0, 55)}-reduce-${round}`;
    // A command gets its list as lines of JSON on standard input, and there is one standard input per job.
    left =
      work.run === undefined
        ? await hearth.map<T>(work, lists, { ...rest, id: roundId })
        : await Promise.all(
            lists.map(async (list, number) => {
              const stdin = list.map(value => `${JSON.stringify(value)}\n`).join('');
              const [out] = await hearth.map<string>(work, '1', { ...rest, stdin, id: `${roundId}-${number + 1}` });
              return plainOf<T>(out ?? '');
            }),
          );
  }
  const [value] = left;
  if (left.length === 0) throw new HearthError('input', 'There is nothing to reduce.');
  return value as T;
}
