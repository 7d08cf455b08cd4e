/**
 * Opens the sealed values in a service's environment, just before it starts. What they hold is only ever in the memory of
 * this process and of the service: the unit's folder, `is` and the log keep the sealed text.
 */
import { looksSealed } from '../../../shared/sealed-value.ts';
import { openSealKey } from '../../seal-key.ts';
import type { Unit } from '../host.ts';

/** Variables of a unit's environment that were sealed, with what they hold. */
export type Opened = Readonly<Record<string, string>>;

export interface Secrets {
  /** `done` once, never from inside the call: what was opened, or one sentence why not. */
  open(unit: Unit, done: (error: string | undefined, opened: Opened) => void): void;
}

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
  return {
    open(unit, done) {
      open(unit).then(
        opened => setImmediate(done, undefined, opened),
        error => setImmediate(done, (error as Error).message, {}),
      );
    },
  };
}
