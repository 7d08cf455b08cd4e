/** Which Node a machine that joins is given: the newest line with long-term support of those that are published. Pure. */

export interface Release {
  readonly version: string;
  readonly publishedMs: number;
}

/** The agent's bundle needs this one: the newest that is published for armv7. */
const oldest = [20, 11, 0] as const;
/** Even majors come in April and have long-term support from October on (nodejs/Release). The registry tells no more than days. */
const untilSupportMs = 182 * 86_400_000;

type Version = readonly [major: number, minor: number, patch: number];

/** Releases alone: no candidates, no builds of somebody's own. */
function parse(text: string): Version | undefined {
  const [, major, minor, patch] = /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})$/.exec(text) ?? [];
  return patch === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

const compare = (a: Version, b: Version): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];

/**
 * @param reference releases of the architecture that has them all: single old versions were published late, and those of rare
 * architectures all were, so that the first of a major counts.
 */
export function supportedMajors(reference: readonly Release[], nowMs: number): ReadonlySet<number> {
  const firstMs = new Map<number, number>();
  for (const { version, publishedMs } of reference) {
    const major = parse(version)?.[0];
    if (major === undefined || major % 2 === 1 || Number.isNaN(publishedMs)) continue;
    firstMs.set(major, Math.min(publishedMs, firstMs.get(major) ?? publishedMs));
  }
  return new Set([...firstMs].filter(([, ms]) => nowMs - ms >= untilSupportMs).map(([major]) => major));
}

/** The newest version of each of these majors, the newest first. */
export function candidates(releases: readonly Release[], majors: ReadonlySet<number>): readonly string[] {
  const newest = new Map<number, Version>();
  for (const { version } of releases) {
    const parsed = parse(version);
    if (!parsed || !majors.has(parsed[0]) || compare(parsed, oldest) < 0) continue;
    const best = newest.get(parsed[0]);
    if (!best || compare(parsed, best) > 0) newest.set(parsed[0], parsed);
  }
  return [...newest.values()].sort((a, b) => compare(b, a)).map(version => version.join('.'));
}

/** Is this one that the agent runs on, and that is kept up? For runtimes that are there already. */
export function isGoodEnough(version: string): boolean {
  const parsed = parse(version.replace(/^v/, ''));
  return parsed !== undefined && parsed[0] % 2 === 0 && compare(parsed, oldest) >= 0;
}
