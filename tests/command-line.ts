/** Command lines of the project's own tools: what is wrong with one, how it is called, and exit status 2. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

export function refuse(usage: string, text: string): never {
  console.error(`${text}\n${usage}`);
  process.exit(2);
}

/** As `parseArgs` has it. */
export function argumentsOf<T extends ParseArgsConfig>(usage: string, config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    return refuse(usage, (error as Error).message);
  }
}
