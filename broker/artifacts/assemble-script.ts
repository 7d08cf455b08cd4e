/** A shell script of ours is written in parts, one concept each, and handed out as one text: machines fetch one thing. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** @param file its lines `#@include PATH`, relative to it, are each replaced by that file. */
export async function assembleScript(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  const whole = lines.map(async line => {
    const [, path] = /^#@include ([a-z-]+\/[a-z-]+\.sh)$/.exec(line) ?? [];
    return path === undefined ? line : readFile(join(dirname(file), path), 'utf8');
  });
  return (await Promise.all(whole)).join('\n');
}
