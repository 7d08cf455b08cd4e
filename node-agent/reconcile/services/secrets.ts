/**
 * Opens the sealed values in a service's environment, just before it starts. What they hold is only ever in the memory of
 * this process and of the service: the unit's folder, `is` and the log keep the sealed text (but for a container's
 * environment file, which its engine reads: containers.ts), and what a service prints of
 * them is hidden before it is told to anybody (hidden-output.ts).
 */
import { looksSealed } from '../../../shared/sealed-value.ts';
import { openSealKey } from '../../seal-key.ts';
import type { Unit } from '../host.ts';

/** Variables of a unit's environment that were sealed, with what they hold. */
export type Opened = Readonly<Record<string, string>>;

export interface Secrets {
  /** `done` once, never from inside the call: what was opened, or one sentence why not. */
  open(unit: Unit, done: (error: string | undefined, opened: Opened) => void): void;
  /** A line of the unit's output without its secrets, for as long as they are known; see {@link forget}. */
  hide(unit: Unit['unit'], line: string): string;
  forget(unit: Unit['unit']): void;
}

/** Shorter ones are in too many words. */
const shortestHidden = 4;

/** Every line of a secret that is long enough, the longest first: one may be part of another. */
const hiddenParts = (opened: Opened): readonly string[] =>
  Object.values(opened)
    .flatMap(value => value.split(/\r?\n/))
    .map(part => part.trim())
    .filter(part => part.length >= shortestHidden)
    .sort((a, b) => b.length - a.length);

export const hasSecrets = ({ spec }: Unit): boolean => Object.values(spec.env ?? {}).some(looksSealed);

/** @param node this node's id; it may change once, before any cluster knows it. */
export function createSecrets(folder: string, node: () => string): Secrets {
  const open = async ({ service, spec }: Unit): Promise<Opened> => {
    const { pair } = openSealKey(folder);
    const sealed = Object.entries(spec.env ?? {}).filter(([, value]) => looksSealed(value));
    // A library that most nodes never need.
    const { openSecret } = await import('../../../shared/sealed-secret.ts');
    const opened = sealed.map(async ([name, value]) => {
      const text = await openSecret(pair, { node: node(), service, name }, value).catch(error => {
        throw new Error(`the secret env.${name} cannot be opened: ${(error as Error).message}`);
      });
      return [name, text] as const;
    });
    return Object.fromEntries(await Promise.all(opened));
  };
  /** Undefined: its secrets could not be opened, so nobody knows what to hide. */
  const known = new Map<string, readonly string[] | undefined>();
  return {
    open(unit, done) {
      open(unit).then(
        opened => {
          known.set(unit.unit, hiddenParts(opened));
          setImmediate(done, undefined, opened);
        },
        error => {
          known.set(unit.unit, undefined);
          setImmediate(done, (error as Error).message, {});
        },
      );
    },
    hide(unit, line) {
      if (!known.has(unit)) return line;
      const parts = known.get(unit);
      if (!parts) return '(not shown: its secrets cannot be opened)';
      return parts.reduce((text, part) => text.replaceAll(part, '***'), line);
    },
    forget: unit => void known.delete(unit),
  };
}
