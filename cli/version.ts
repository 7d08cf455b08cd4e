declare const HEARTH_VERSION: string | undefined;

/** Written in by the build; the sources run by themselves say `0.0.0-dev`. */
export const version: string = typeof HEARTH_VERSION === 'string' ? HEARTH_VERSION : '0.0.0-dev';
