/** Which filters a bus hears beside those of its start. Pure; every kind of bus asks here, so that all agree. */
import { mostAlso } from './bus.ts';
import { limits } from './limits.ts';
import { printable } from './names.ts';
import { covers } from './topics.ts';

/** Levels of a topic: the embedded broker's bound, and well below the 200 over which Mosquitto drops the connection. */
const mostLevels = 32;
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must not travel in a topic
const unprintable = /[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffd-\uffff]/;

/**
 * What is wrong with a topic filter (MQTT 3.1.1 and 5, sections 1.5 and 4.7): a broker may answer such a one by closing
 * the connection, at every connect again. Undefined where nothing is.
 */
export function whyNotHeard(filter: string): string | undefined {
  if (filter === '') return 'a topic is not empty';
  if (filter.length > limits.topic) return `a topic is at most ${limits.topic} characters long`;
  // Half of a surrogate pair becomes U+FFFD on the wire.
  if (unprintable.test(filter) || Buffer.from(filter).toString() !== filter) {
    return `the topic "${printable(filter)}" holds characters that cannot be printed`;
  }
  const levels = filter.split('/');
  if (levels.length > mostLevels) return `a topic has at most ${mostLevels} levels`;
  const wild = (level: string, index: number) =>
    level === '#' ? index !== levels.length - 1 : level !== '+' && /[+#]/.test(level);
  return levels.some(wild)
    ? `"${printable(filter)}" is no topic filter: "+" is a whole level, "#" the last one`
    : undefined;
}

export interface Beside {
  /** To be subscribed to: no one lies within another, or within a fixed one. */
  readonly hear: readonly string[];
  /** Passed over, and why. */
  readonly refused: ReadonlyMap<string, string>;
}

/** @param fixed the filters of `start`. @param wanted those of `also`; the first {@link mostAlso} valid ones count. */
export function beside(fixed: readonly string[], wanted: readonly string[]): Beside {
  const refused = new Map<string, string>();
  const taken = new Set<string>();
  for (const filter of wanted) {
    if (taken.has(filter)) continue;
    const why =
      whyNotHeard(filter) ?? (taken.size >= mostAlso ? `more than ${mostAlso} topics are heard already` : undefined);
    if (why === undefined) taken.add(filter);
    else if (refused.size < mostAlso) refused.set(filter, why);
  }
  // Only wildcards cover another filter.
  const wide = [...new Set([...fixed, ...taken])].filter(filter => /[+#]/.test(filter));
  const same = new Set(fixed);
  const hear = [...taken].filter(
    filter => !same.has(filter) && !wide.some(other => other !== filter && covers(other, filter)),
  );
  return { hear, refused };
}
