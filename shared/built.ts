/** When this program was built, to the day: a clock that shows less is wrong. From the sources, the date of the wire of trust. */
declare const HEARTH_BUILT_MS: number | undefined;

export const builtMs: number = typeof HEARTH_BUILT_MS === 'number' ? HEARTH_BUILT_MS : Date.UTC(2026, 10, 1);
