/**
 * What a worker process and its owner say to each other: JSON lines, orders on the worker's descriptor 3, answers on 4.
 * Tasks have positions, numbers that rise by one for each worker. A worker writes an answer before it goes on, so that
 * after its sudden end what was read tells exactly which task was running.
 */

/** First of all. */
export interface Setup {
  /** URL of the module, or (inline) its text. */
  readonly module?: string;
  readonly code?: string;
  /** What it is in sentences: `plugin "render"`. */
  readonly name: string;
  /** Bytes of one result, and of one checkpoint. */
  readonly mostResult: number;
  readonly mostCheckpoint: number;
  /** Inline code may use the network. */
  readonly net?: boolean;
  /** Account to become before anything of the job is read. */
  readonly uid?: number;
  /** The machine's own addresses, to which there is no way in spite of `net`. */
  readonly own?: readonly string[];
}

/** One task, in order: position, recipe, index, attempt, token, then value and checkpoint (base64), null where there is none. */
export type TaskLine = readonly [
  at: number,
  r: number,
  index: number,
  attempt: number,
  token: number,
  value: unknown,
  checkpoint: string | null,
];

export type Order =
  | readonly ['setup', Setup]
  /** A recipe that tasks name, before the first of them. */
  | readonly ['recipe', number, { readonly job: string; readonly common?: unknown }]
  | readonly ['forget', number]
  | readonly ['tasks', readonly TaskLine[]]
  /** Not to be begun, if it is not too late. */
  | readonly ['back', number]
  | readonly ['abort', number];

/**
 * `h` it is there · `s` a task begins · `e` it ended well: ms, then JSON of what it gave back · `f` it failed: ms, why, sentence,
 * stack · `p` it printed · `c` it saved, base64 · `b` given back, never begun.
 */
export type Answer =
  | readonly ['h']
  | readonly ['s', number]
  | readonly ['e', number, number, unknown?]
  | readonly ['f', number, number, 'error' | 'output' | 'setup', string, string]
  | readonly ['p', string]
  | readonly ['c', number, string]
  | readonly ['b', number];

/** Cuts a stream of bytes into lines; `undefined` for a line that is longer than it may be, after which nothing is read. */
export class Lines {
  readonly #most: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  #over = false;

  constructor(most: number) {
    this.#most = most;
  }

  read(chunk: Buffer, take: (line: string | undefined) => void): void {
    if (this.#over) return;
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      if (this.#bytes === 0) take(chunk.toString('utf8', from, end));
      else {
        this.#parts.push(chunk.subarray(from, end));
        take(Buffer.concat(this.#parts).toString('utf8'));
        this.#parts = [];
        this.#bytes = 0;
      }
      from = end + 1;
    }
    if (from === chunk.length) return;
    this.#parts.push(chunk.subarray(from));
    this.#bytes += chunk.length - from;
    if (this.#bytes <= this.#most) return;
    this.#over = true;
    this.#parts = [];
    take(undefined);
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isTime = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < 1e12;

/** @returns undefined for what no worker of ours says. */
export function readAnswer(line: string): Answer | undefined {
  let said: unknown;
  try {
    said = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(said)) return undefined;
  const [what, at, third, why, sentence, stack] = said as unknown[];
  switch (what) {
    case 'h':
      return ['h'];
    case 's':
    case 'b':
      return isCount(at) ? [what, at] : undefined;
    case 'e':
      if (!isCount(at) || !isTime(third)) return undefined;
      return said.length > 3 ? ['e', at, third, why] : ['e', at, third];
    case 'f':
      if (!isCount(at) || !isTime(third) || (why !== 'error' && why !== 'output' && why !== 'setup')) return undefined;
      return typeof sentence === 'string' && typeof stack === 'string'
        ? ['f', at, third, why, sentence, stack]
        : undefined;
    case 'p':
      return typeof at === 'string' ? ['p', at] : undefined;
    case 'c':
      return isCount(at) && typeof third === 'string' ? ['c', at, third] : undefined;
    default:
      return undefined;
  }
}
