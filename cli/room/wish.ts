/** What somebody typed after `hearth room NAME`, as the message that says it. Pure, but for values from files. */
import { nearest, printable } from '../../shared/names.ts';
import { presetNames, roomLimits } from '../../shared/schemas/room.ts';
import { parseTopic } from '../../shared/topics.ts';
import { UserError } from '../../shared/user-error.ts';
import { keyLevels, readValueArgument } from '../set-input.ts';

export interface Wish {
  readonly part: 'set' | 'do';
  readonly rest: readonly string[];
  readonly payload: Buffer;
  /** What to say once it is accepted. */
  readonly done: string;
}

const kinds = ['heat', 'off', 'preset', 'set', 'clear', 'forget'];

/** @throws UserError where it is no wish. */
export async function readWish(what: string, words: readonly string[]): Promise<Wish> {
  const [first, second, ...more] = words;
  const patch = (document: object, done: string): Wish => ({
    ...{ part: 'set', rest: [], payload: Buffer.from(JSON.stringify(document)), done },
  });
  switch (what) {
    case 'heat': {
      none(second);
      const degrees = first === undefined ? undefined : readDegrees(first);
      return degrees === undefined
        ? patch({ mode: 'heat' }, 'it is heated')
        : patch({ mode: 'heat', target_c: degrees }, `it is heated to ${degrees} °C`);
    }
    case 'off':
      none(first);
      return patch({ mode: 'off' }, 'it is off');
    case 'preset': {
      none(second);
      const preset = presetNames.find(one => one === first);
      if (preset === undefined) throw new UserError(`Which preset? ${hint(first, presetNames)}`, 2);
      return patch({ preset }, preset === 'none' ? 'no preset' : `preset ${preset}`);
    }
    case 'set': {
      if (first === undefined || second === undefined)
        throw new UserError('What to set? hearth room NAME set KEY VALUE, such as: set target_c 21', 2);
      if (more.length > 0) {
        const value = printable([second, ...more].join(' '), 2000);
        throw new UserError(`A value of several words goes in quotes: '${value}'`, 2);
      }
      const { bytes } = await readValueArgument(second);
      if (bytes.length === 0) throw new UserError(`The value is empty: "clear ${printable(first)}" clears the key.`, 2);
      const levels = keyLevels(first);
      const key = levels.length === 0 ? 'its document' : levels.join('.');
      return { part: 'set', rest: levels, payload: bytes, done: `${key} = ${printable(bytes.toString().trimEnd())}` };
    }
    case 'clear': {
      none(second);
      const levels = first === undefined ? [] : keyLevels(first);
      if (levels.length === 0) throw new UserError('Which key? hearth room NAME clear KEY', 2);
      return { part: 'set', rest: levels, payload: Buffer.alloc(0), done: `${levels.join('.')} cleared` };
    }
    case 'forget':
      none(first);
      return { part: 'do', rest: ['forget'], payload: Buffer.alloc(0), done: 'forgotten' };
  }
  throw new UserError(`"${printable(what)}" is nothing that a room does: ${hint(what, kinds)}`, 2);
}

/** The topic, checked by the grammar that the supervisor uses. */
export function wishTopic(base: string, room: string, { part, rest }: Wish): string {
  const topic = [base, 'room', room, part, ...rest].join('/');
  const parsed = parseTopic(topic, base);
  if (!parsed.ok) throw new UserError(`${parsed.error.message}.`, 2);
  return topic;
}

function none(word: string | undefined): void {
  if (word !== undefined) throw new UserError(`"${printable(word)}" is too much: see hearth room --help.`, 2);
}

function readDegrees(text: string): number {
  const degrees = /^\d{1,2}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (degrees >= roomLimits.coldest && degrees <= roomLimits.warmest) return degrees;
  throw new UserError(
    `"${printable(text)}" is no temperature of a room: ${roomLimits.coldest} to ${roomLimits.warmest} °C.`,
    2,
  );
}

function hint(typed: string | undefined, all: readonly string[]): string {
  const near = typed === undefined ? undefined : nearest(typed, all);
  return near === undefined ? `use ${all.join(', ')}` : `did you mean "${near}"?`;
}
