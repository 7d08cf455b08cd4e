/**
 * Which test files run at the same time, and which do not. A file says in its first comment what it needs of the machine:
 * `Runs alone: <reason>.` for what others would disturb, such as a time that is promised, and `Shares <name>: <reason>.`
 * where no other file of the same name may run, such as one that is filling the same cache.
 */

export interface TestFile {
  readonly path: string;
  readonly alone: boolean;
  /** Names of what only one file has at a time. */
  readonly shares: readonly string[];
}

/** @param text of the file. @throws Error where its first comment asks for something, and not in these words. */
export function readTestFile(path: string, text: string): TestFile {
  const [comment = ''] = /^\s*\/\*\*.*?\*\//s.exec(text) ?? [];
  const words = comment.replace(/\s*\n \* ?/g, ' ');
  const sentences = [...words.matchAll(/\b(Runs alone|Shares [\w-]+)\b(: [^.]+\.)?/g)];
  for (const [asked, , reason] of sentences) {
    if (reason === undefined)
      throw new Error(`${path}: "${asked}" in its first comment needs a reason: "${asked}: …."`);
  }
  const asks = sentences.map(([, what = '']) => what);
  return {
    path,
    alone: asks.includes('Runs alone'),
    shares: asks.filter(what => what !== 'Runs alone').map(what => what.slice('Shares '.length)),
  };
}

/**
 * Runs every file once: in their order, as many at a time as there are lanes, later ones first where what the next one
 * shares is taken; in the end those that run alone, one by one.
 * @param run gets the lane's number, from 0.
 */
export async function runInLanes<T>(
  files: readonly TestFile[],
  lanes: number,
  run: (path: string, lane: number) => Promise<T>,
): Promise<T[]> {
  const done: T[] = [];
  const queue = files.filter(({ alone }) => !alone);
  const taken = new Set<string>();
  const waiting: (() => void)[] = [];
  const lane = async (number: number) => {
    while (queue.length > 0) {
      const index = queue.findIndex(({ shares }) => shares.every(name => !taken.has(name)));
      const [file] = index < 0 ? [] : queue.splice(index, 1);
      if (!file) {
        await new Promise<void>(resolve => waiting.push(resolve));
        continue;
      }
      for (const name of file.shares) taken.add(name);
      try {
        done.push(await run(file.path, number));
      } finally {
        for (const name of file.shares) taken.delete(name);
        for (const wake of waiting.splice(0)) wake();
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  for (const { path } of files.filter(({ alone }) => alone)) done.push(await run(path, 0));
  return done;
}
