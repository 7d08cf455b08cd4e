/** A room as the journal keeps it. */
import { z } from 'zod';
import { type PresetName, presetNames, type RoomDocument, roomDocument } from '../../../shared/schemas/room.ts';

/** What a person and the schedule both have a word on: whoever spoke last counts. */
export const spokenKeys = ['mode', 'target_c', 'preset'] as const;
export type SpokenKey = (typeof spokenKeys)[number];

export interface RoomEntry {
  readonly document: RoomDocument;
  /** Of its last change. */
  readonly rev: number;
  /** When somebody said what the document has of these, epoch ms. */
  readonly said?: { readonly [K in SpokenKey]?: number | undefined } | undefined;
  /** The preset that `boost` took the place of, and when that was said. */
  readonly before?: { readonly preset: PresetName; readonly at: number } | undefined;
}

const count = z.number().int().nonnegative();
const at = z.number();

export const roomEntry = z.object({
  document: roomDocument,
  rev: count,
  said: z.object({ mode: at, target_c: at, preset: at }).partial().optional(),
  before: z.object({ preset: z.enum(presetNames), at }).optional(),
});

/** A room that nobody said anything about. */
export const noRoom: RoomEntry = { document: {}, rev: 0 };
