/** The order that a lease was granted for, as it lies on disk for the next agent. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type HeatOrder, heatOrderArgs } from '../../shared/schemas/heat.ts';
import { type Filler, fillerSchema } from '../../shared/schemas/room.ts';
import { replaceFile } from '../replace-file.ts';
import { type Ordered, orderedOf } from './core.ts';

const name = 'order';

/** Throws what the file system throws. */
export function keepOrder(folder: string, said: HeatOrder): void {
  if (said.cores > 0) replaceFile(folder, name, JSON.stringify(said), false);
  else rmSync(join(folder, name), { force: true });
}

export function keptOrder(folder: string): Ordered | undefined {
  try {
    const said = heatOrderArgs.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')));
    const filler = readFiller(said.filler);
    return orderedOf(said, filler === 'unreadable' ? undefined : filler);
  } catch {
    return undefined;
  }
}

export function readFiller(text: string | undefined): Filler | undefined | 'unreadable' {
  if (text === undefined) return undefined;
  try {
    const read = fillerSchema.safeParse(JSON.parse(text));
    return read.success ? read.data : 'unreadable';
  } catch {
    return 'unreadable';
  }
}
