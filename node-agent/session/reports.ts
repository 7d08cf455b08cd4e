/** What a node says, as text ready to be published. Pure. */
import { limits, proto } from '../../shared/limits.ts';
import type { Is, ItemStatus } from '../../shared/schemas/observed.ts';
import type { Lwt } from '../../shared/schemas/presence.ts';
import type { Cores, Info, Load, Sensors } from '../../shared/schemas/telemetry.ts';
import type { Done } from '../../shared/schemas/want.ts';
import type { LoadSample } from '../telemetry/telemetry.ts';

/** Birth, farewell and last will. */
export function lwtText(epoch: number, inst: string, online: boolean, periodMs: number): string {
  return JSON.stringify({ epoch, inst, online, period_ms: periodMs, proto } satisfies Lwt);
}

export interface IsParts {
  readonly node: string;
  readonly epoch: number;
  readonly ver: string;
  readonly state: Is['state'];
  readonly rev: number;
  /** What stands in the way, the weightiest first; the first that is not empty is said. */
  readonly errors: readonly (string | undefined)[];
  readonly items: Readonly<Record<string, ItemStatus>>;
}

/** What an item may do without where a node has so many that its `is` would not be read: more with every step. */
const shorter: readonly ((item: ItemStatus) => ItemStatus)[] = [
  item => item,
  ({ diff: _, ...item }) => item,
  ({ diff: _, err, saw, doing, note, ...item }) => ({
    ...item,
    ...(err === undefined ? {} : { err: err.slice(0, shortText) }),
    ...(saw === undefined ? {} : { saw: saw.slice(0, shortText) }),
    ...(doing === undefined ? {} : { doing: doing.slice(0, shortText) }),
    ...(note === undefined ? {} : { note: note.slice(0, shortText) }),
  }),
  ({ state, severity }) => (severity === undefined ? { state } : { state, severity }),
];
const shortText = 40;

const mapped = (items: IsParts['items'], shorten: (item: ItemStatus) => ItemStatus): Record<string, ItemStatus> =>
  Object.fromEntries(Object.entries(items).map(([path, item]) => [path, shorten(item)]));

export function isText({ node, epoch, ver, state, rev, errors, items }: IsParts): string {
  const err = (errors.find(error => error) ?? '').slice(0, 500);
  let text = '';
  for (const shorten of shorter) {
    const all = shorten === shorter[0] ? items : mapped(items, shorten);
    text = JSON.stringify({ node, epoch, state, rev, err, ver, items: all } satisfies Is);
    // UTF-8 has at most 3 bytes for a UTF-16 unit: a text that is short anyway is not measured.
    if (text.length * 3 <= limits.is || Buffer.byteLength(text) <= limits.is) break;
  }
  return text;
}

export const infoText = (node: string, ver: string, facts: Omit<Info, 'node' | 'ver'>): string =>
  JSON.stringify({ node, ver, ...facts });

export const loadText = (node: string, epoch: number, seq: number, sample: LoadSample & Pick<Load, 'jobs'>): string =>
  JSON.stringify({ node, epoch, seq, ...sample } satisfies Load);

export const coresText = (node: string, pct: readonly number[]): string =>
  JSON.stringify({ node, pct: [...pct] } satisfies Cores);

export const sensorsText = (node: string, epoch: number, sensed: Readonly<Record<string, number>>): string =>
  JSON.stringify({ node, epoch, ...sensed } satisfies Sensors);

export const heartbeatText = (node: string, epoch: number, seq: number): string => JSON.stringify({ node, epoch, seq });

export function doneText(id: string, error?: string): string {
  const done: Done = error === undefined ? { id, ok: true } : { id, ok: false, error: error.slice(0, 500) };
  return JSON.stringify(done);
}
