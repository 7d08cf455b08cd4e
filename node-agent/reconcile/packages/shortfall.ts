/** Did it come to be? Pure. */
import type { Change, Installed } from './provider.ts';

/** Why the machine is not as the change was to make it, one sentence; undefined: it is. */
export function shortfall(
  { name, action, version, hold, release }: Change,
  is: Installed | undefined,
): string | undefined {
  if (action === 'remove') return is === undefined ? undefined : `"${name}" is still there`;
  if (action === 'install') {
    if (is === undefined) return `"${name}" is still not installed: is it the name of something that others provide?`;
    if (is.broken) return `"${name}" is unpacked, and could not be configured`;
    if (version !== undefined && is.ver !== version) return `"${name}" is ${is.ver} now, not ${version}`;
  }
  if (hold && is?.held !== true) return `"${name}" could not be held`;
  return release && !hold && is?.held === true ? `"${name}" is still held` : undefined;
}
