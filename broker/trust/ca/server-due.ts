/** Whether the server certificate has to be made anew, and why. Pure: it is asked every minute. */
import type { ServerNames } from './server-names.ts';

/** What is known of the server certificate in use. */
export interface ServerCertificate {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly names: ServerNames;
  /** It was issued by the CA that issues now. */
  readonly current: boolean;
}

export type Due = 'missing' | 'rotation' | 'not valid yet' | 'age' | 'names';

/**
 * An address that is gone is no reason: it may come back in a minute, and goes with the next renewal. A certificate that
 * begins in the future was made when the clock was ahead.
 */
export function serverDue(has: ServerCertificate | undefined, wanted: ServerNames, now: number): Due | undefined {
  if (!has) return 'missing';
  if (!has.current) return 'rotation';
  if (now < has.notBeforeMs) return 'not valid yet';
  if (now >= has.notBeforeMs + ((has.notAfterMs - has.notBeforeMs) * 2) / 3) return 'age';
  const lacks = (held: readonly string[], want: readonly string[]) => want.some(name => !held.includes(name));
  return lacks(has.names.dns, wanted.dns) || lacks(has.names.ip, wanted.ip) ? 'names' : undefined;
}
