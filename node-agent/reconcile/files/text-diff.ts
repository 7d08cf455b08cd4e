/** How a file differs from what it is to be, for people: a short unified diff, and never of what may be a secret. */
import { isUtf8 } from 'node:buffer';
import { printable } from '../../../shared/names.ts';
import { sealedMark } from '../../../shared/sealed-value.ts';

const longest = 64 * 1024;
/** What an item's status takes. */
const most = 600;

/**
 * Lines with `-` are wanted, lines with `+` are there.
 * @param mode permissions that both have: what not everybody on the machine may read, nobody reads on a topic either.
 * @returns undefined where it may not be shown, is no text, or is too long.
 */
export async function textDiff(wanted: Buffer, found: Buffer, mode: number): Promise<string | undefined> {
  if ((mode & 0o004) === 0 || !isShowable(wanted) || !isShowable(found)) return undefined;
  const { createTwoFilesPatch } = await import('diff');
  const patch = createTwoFilesPatch('wanted', 'found', wanted.toString(), found.toString(), '', '', {
    context: 1,
    maxEditLength: 2000,
    timeout: 200,
  });
  const lines = patch?.split('\n') ?? [];
  const first = lines.findIndex(line => line.startsWith('@@'));
  if (first < 0) return undefined;
  const text = lines
    .slice(first)
    .map(line => printable(line.replaceAll('\t', '    '), 200))
    .join('\n')
    .trimEnd();
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

const isShowable = (bytes: Buffer): boolean =>
  bytes.length <= longest && isUtf8(bytes) && !bytes.includes(0) && !bytes.includes(sealedMark);
