/** A package that a job names, pinned with all that it depends on: what supervisor and node both check of it. */
import { z } from 'zod';
import { printable } from '../names.ts';

export interface PinnedPackage {
  readonly name: string;
  readonly version: string;
  /** Of the package itself, as npm writes it: `sha512-…`. */
  readonly integrity: string;
}

/** Bytes of a package-lock.json. */
export const mostLock = 16 * 1024 * 1024;

/** `npm:NAME@1.2.3`. */
export function readPinned(text: string): { name: string; version: string } | undefined {
  const [, name, version] = /^npm:((?:@[^/@]+\/)?[^/@]+)@(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)$/.exec(text) ?? [];
  return name === undefined || version === undefined ? undefined : { name, version };
}

const lockShape = z.object({
  lockfileVersion: z.number().min(2),
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      integrity: z.string().optional(),
      resolved: z.string().optional(),
      link: z.boolean().optional(),
      inBundle: z.boolean().optional(),
    }),
  ),
});

/** What a lock may not say: another package than was pinned, or anything that npm would not fetch and check by its hash. */
export function wrongLock(text: string, { name, version, integrity }: PinnedPackage): string | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return 'its lock is no JSON';
  }
  const lock = lockShape.safeParse(said);
  if (!lock.success) return 'its lock is none of npm 7 or newer';
  const own = lock.data.packages[`node_modules/${name}`];
  if (own?.version !== version) return `its lock has ${own?.version ?? 'nothing'} instead of ${version}`;
  if (own.integrity !== integrity) return 'its lock has another hash than the job';
  for (const [place, each] of Object.entries(lock.data.packages)) {
    if (place === '') continue;
    const where = printable(place, 100);
    if (!/^(node_modules\/(@[^/]+\/)?[^/@.][^/]*(\/|$))+$/.test(place)) return `its lock puts something at "${where}"`;
    if (each.link) return `its lock has a link at "${where}"`;
    // Without an address it is the registry's, as the node is set up: its mirror, say.
    if (!each.integrity || !/^https?:\/\//.test(each.resolved ?? 'https://')) {
      // What came inside of another package is covered by that one's hash.
      if (each.inBundle) continue;
      return `its lock names no hash of "${where}"`;
    }
  }
  return undefined;
}

/** The hash of the package that stands in the lock under that name, and its version. */
export function pinnedIn(text: string, name: string): PinnedPackage | undefined {
  try {
    const own = lockShape.parse(JSON.parse(text)).packages[`node_modules/${name}`];
    if (own?.version === undefined || own.integrity === undefined) return undefined;
    return { name, version: own.version, integrity: own.integrity };
  } catch {
    return undefined;
  }
}
