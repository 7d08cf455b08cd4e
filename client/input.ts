/** From work, values and options to the jobs that are sent. */
import { limits } from '../shared/limits.ts';
import { chunksOf } from './chunks.ts';
import { HearthError } from './errors.ts';
import type { Part } from './parts.ts';
import {
  documentOf,
  type JobInput,
  type MapReduceOptions,
  makeId,
  type Ranges,
  type Values,
  type Work,
} from './work.ts';

const defaults = { jobs: 4, jobTasks: 10_000, jobBytes: 192 * 1024, lingerMs: 50 } as const;

export interface Planned {
  readonly parts: AsyncIterator<Part>;
  /** Jobs at the same time. */
  readonly most: number;
  readonly id: string;
  readonly command: boolean;
}

/** Everything is checked before anything is sent, but for values that are not there yet. */
export function planned<V>(work: Work, input: Ranges | Values<V>, options: Partial<MapReduceOptions>): Planned {
  const document = documentOf(work, options);
  const id = options.id ?? makeId(document);
  const command = document.run !== undefined;
  if (isRanges(input)) {
    const whole = { id, document: { ...document, array: input }, offset: 0 };
    return { parts: just(whole), most: 1, id, command };
  }
  const most = Math.max(1, Math.min(options.jobs ?? defaults.jobs, options.concurrency ?? Number.POSITIVE_INFINITY));
  return { parts: cut(id, document, input, options, most), most, id, command };
}

const isRanges = <V>(input: Ranges | Values<V>): input is Ranges =>
  typeof input === 'string' || !(Symbol.iterator in input || Symbol.asyncIterator in input);

async function* cut<V>(
  id: string,
  document: JobInput,
  input: Values<V>,
  options: Partial<MapReduceOptions>,
  most: number,
): AsyncGenerator<Part> {
  const own = Buffer.byteLength(JSON.stringify(document));
  const bytes = Math.min(defaults.jobBytes, limits.message - own - 1024);
  if (bytes < 1024) {
    throw new HearthError(
      'input',
      `The job without its values has ${own} bytes already: put what is large into a package.`,
    );
  }
  const chunks = chunksOf(input, {
    tasks: Math.max(1, options.jobTasks ?? defaults.jobTasks),
    bytes,
    // Under a name of its own the same input is to give the same jobs again.
    lingerMs: options.id === undefined ? defaults.lingerMs : undefined,
  });
  // Who gives a list that fits gets one job with the id as it was said.
  const count = Array.isArray(input) ? input.length : undefined;
  let offset = 0;
  let number = 0;
  for await (const values of chunks) {
    const alone = values.length === count;
    const together = options.concurrency === undefined || alone ? 1 : most;
    const share = options.concurrency === undefined ? {} : { max_parallel: Math.floor(options.concurrency / together) };
    const numbered = `${id.slice(0, 57)}-${String(++number).padStart(4, '0')}`;
    yield {
      id: alone ? id : numbered,
      document: { ...document, ...share, ...valuesOf(values, document.run !== undefined) },
      offset,
    };
    offset += values.length;
  }
}

async function* just(part: Part): AsyncGenerator<Part> {
  yield part;
}

/** Texts and numbers become words of a command as they stand; everything else travels as JSON. */
function valuesOf(values: readonly unknown[], command: boolean): JobInput {
  const words = command && values.every(value => typeof value === 'string' || typeof value === 'number');
  return (words ? { array: values } : { items: values }) as JobInput;
}
