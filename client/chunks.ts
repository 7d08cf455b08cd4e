/** Cuts values that come one by one into runs that fit into one job's message. */
import { jobLimits } from '../shared/schemas/job.ts';
import { HearthError } from './errors.ts';
import type { Values } from './work.ts';

export interface ChunkLimits {
  readonly tasks: number;
  /** JSON of the values together. */
  readonly bytes: number;
  /** What is there is not held back longer for what comes slowly. undefined: until the run is full, so that it is the same each time. */
  readonly lingerMs: number | undefined;
}

/** @throws HearthError for a value that is no JSON or too large; what the input itself throws. */
export async function* chunksOf<V>(values: Values<V>, limits: ChunkLimits): AsyncGenerator<V[], void> {
  const source = Symbol.asyncIterator in values ? values[Symbol.asyncIterator]() : values[Symbol.iterator]();
  const isAsync = Symbol.asyncIterator in values;
  let chunk: V[] = [];
  let bytes = 0;
  let index = 0;
  let finished = false;
  let pending: Promise<IteratorResult<V>> | undefined;
  try {
    for (;;) {
      let next: IteratorResult<V> | undefined;
      if (isAsync) {
        pending ??= Promise.resolve(source.next());
        const linger = chunk.length === 0 ? undefined : limits.lingerMs;
        next = await within(pending, linger);
        if (next) pending = undefined;
      } else next = (source as Iterator<V>).next();
      if (next?.done) {
        finished = true;
        break;
      }
      const size = next ? sizeOf(next.value, index++) : 0;
      if (chunk.length > 0 && (!next || bytes + size > limits.bytes)) {
        yield chunk;
        chunk = [];
        bytes = 0;
      }
      if (!next) continue;
      chunk.push(next.value);
      // And a comma.
      bytes += size + 1;
      if (chunk.length < limits.tasks) continue;
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    if (chunk.length > 0) yield chunk;
  } finally {
    // Not waited for: an input that never says another word must not hold up who has enough of it.
    if (!finished) void Promise.resolve(source.return?.()).catch(() => {});
    pending?.catch(() => {});
  }
}

/** The promise's value, or undefined once the time is up. */
function within<T>(promise: Promise<T>, ms: number | undefined): Promise<T | undefined> {
  if (ms === undefined) return promise;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

function sizeOf(value: unknown, index: number): number {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new HearthError('input', `Value ${index} of the input is no JSON.`);
  const size = Buffer.byteLength(text);
  if (size > jobLimits.value) {
    throw new HearthError(
      'input',
      `Value ${index} of the input has ${size} bytes as JSON, and one value at most ${jobLimits.value}: put it into the artifact store and send its hash.`,
    );
  }
  return size;
}
