/** What a board does, and when (board.ts). */

/** Milliseconds, and numbers of messages. */
export const boardTimes = {
  learnMs: 5000,
  /** Between two publishes of one topic. */
  debounceMs: 5000,
  /** Before something is said again on a topic that was cleared: by then its echo, and what Home Assistant clears for disabled entities, is through. */
  clearedMs: 10_000,
  /** Nobody is taken for gone sooner after the start, who was not seen since. */
  graceMs: 60_000,
  /** Between two corrections of what others write. */
  repairMs: 60_000,
  /** What has lain there so long is noted down. */
  toldMs: 30_000,
  /** What has lain there so long is on the broker's disk. */
  surelyKeptMs: 2 * 3_600_000,
  /** After Home Assistant's birth: so long, and up to twice that. */
  birthMs: 5000,
  betweenBirthsMs: 30_000,
  /** So often, and so many at a time. */
  paceMs: 100,
  atOnce: 25,
} as const;

export type BoardEffect =
  | { readonly type: 'publish'; readonly topic: string; readonly text: string }
  /** To be kept over a restart, or no more: what was removed by a person, and what was told. */
  | { readonly type: 'keep'; readonly what: Kept; readonly topic: string; readonly atMs: number }
  | { readonly type: 'drop'; readonly what: Kept; readonly topic: string }
  /** A person removed this device. */
  | { readonly type: 'removed'; readonly topic: string };
export type Kept = 'removed' | 'told';
