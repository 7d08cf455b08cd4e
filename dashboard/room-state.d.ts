/** Types of room-state.js for the tests; the page itself runs the JavaScript as it stands. */
import type { RoomView } from '../shared/fleet-view.ts';
import type { PresetName, RoomIs } from '../shared/schemas/room.ts';
import type { Tone } from './describe.js';

export interface Dials {
  readonly target_c: number;
  readonly mode: RoomIs['mode'];
  readonly preset: PresetName;
}
export interface Wish {
  readonly said: Partial<Dials>;
  readonly asking: Partial<Dials> | undefined;
  readonly waiting: { readonly patch: Partial<Dials>; readonly rev: number; readonly sinceMs: number } | undefined;
  readonly fault: string;
}
export const noWish: Wish;
export function turned<K extends keyof Dials>(wish: Wish, key: K, value: Dials[K]): Wish;
export function sending(wish: Wish): Wish;
export function accepted(wish: Wish, rev: number, nowMs: number): Wish;
export function refused(wish: Wish, sentence: string, isSure?: boolean): Wish;
export function settled(wish: Wish, room: RoomView, nowMs: number): Wish;
export function dialsOf(room: RoomView, wish: Wish): (Dials & { readonly pending: string }) | undefined;
export function stepped(targetC: number, direction: 1 | -1, bounds: Pick<RoomView, 'min_c' | 'max_c'>): number;
export function typedTarget(text: string): number | undefined;
export function targetText(value: number): string;
export function degrees(value: number): string;
export function roomState(room: RoomView): { word: string; tone: Tone };
export function temperatureOf(room: RoomView, nowMs: number): { text: string; note: string };
export function figuresOf(room: RoomView): [label: string, figure: string][];
export function roomFacts(room: RoomView): string;
