/** `hearth secret set`: seals a value to one node and sets it in a service's environment. It leaves this process sealed. */
import { nearest, printable } from '../../shared/names.ts';
import { looksSealed, type SecretPlace } from '../../shared/sealed-value.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';
import { connect, disconnect } from '../connection.ts';
import { gather } from '../fleet.ts';
import { readHidden } from '../hidden-input.ts';
import { type SetFlags, sendSet } from './set.ts';

export interface SecretFlags extends Omit<SetFlags, 'clear'>, AdminFlags {
  /** Print the sealed value instead of setting it, for a document that is set whole. */
  readonly print?: boolean;
}

/** `SERVICE.env.NAME`, or with slashes, `services` before it allowed; the service's name may have dots. */
export function readPlace(node: string, key: string): SecretPlace {
  const pattern = key.includes('/')
    ? /^(?:services\/)?([^/]+)\/env\/([A-Za-z_][A-Za-z0-9_]*)$/
    : /^(?:services\.)?(.+)\.env\.([A-Za-z_][A-Za-z0-9_]*)$/;
  const [, service, name] = pattern.exec(key) ?? [];
  if (service !== undefined && name !== undefined) return { node, service, name };
  throw new UserError(
    `"${printable(key)}" names no variable of a service: write SERVICE.env.NAME, such as solver.env.TOKEN.`,
    2,
  );
}

/** @param words what stands after the key: nothing, as a secret is not given there. */
export async function setSecret(
  node: string,
  key: string,
  words: readonly string[],
  flags: SecretFlags,
): Promise<number> {
  if (words.length > 0) {
    throw new UserError(
      'A secret does not go on the command line, where every user of this machine sees it and the shell keeps it: it is asked for, or read from standard input. Take another one than the one you typed.',
      2,
    );
  }
  const place = readPlace(node, key);
  const sealKey = await sealKeyOf(node, flags);
  const { sealSecret } = await import('../../shared/sealed-secret.ts');
  const text = await readHidden(`${place.name} of ${place.service} on ${node} (not shown): `);
  if (text === '') throw new UserError('The secret is empty, so nothing was set.');
  if (looksSealed(text)) throw new UserError('This is sealed already: set it with "hearth set", as it stands.');
  const value = await sealSecret(sealKey, place, text);
  if (flags.print) {
    console.log(value);
    return 0;
  }
  const levels = ['services', place.service, 'env', place.name];
  return await sendSet(node, levels, { bytes: Buffer.from(value), typed: false }, flags);
}

/** What the node says it can open. @throws UserError where there is no such node, or it cannot take secrets. */
async function sealKeyOf(node: string, flags: SecretFlags): Promise<string> {
  const { client, base } = await connect(flags);
  try {
    const { nodes } = await gather(client, base);
    const known = nodes.get(node);
    if (!known) {
      const near = nearest(node, [...nodes.keys()]);
      const hint = near === undefined ? '"hearth nodes" lists them' : `did you mean "${near}"?`;
      throw new UserError(`There is no node "${printable(node)}": ${hint}`);
    }
    const key = known.info?.seal_key;
    if (key !== undefined) {
      await compare(node, key, flags);
      return key;
    }
    throw new UserError(
      `${node} has not said to which key secrets for it are sealed: it has to be online once, with an agent that knows secrets.`,
    );
  } finally {
    await disconnect(client);
  }
}

/**
 * What a node says on the bus, somebody else may have said where the broker is not the supervisor's own; what it said
 * when it joined is kept there. @throws UserError where the two differ
 */
async function compare(node: string, key: string, flags: SecretFlags): Promise<void> {
  let recorded: string | undefined;
  try {
    ({ seal_key: recorded } = await adminCall<{ seal_key?: string }>(flags, 'secret.key', { node }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`hearth: the key of ${node} is taken from the bus and not compared: ${error.message}`);
    return;
  }
  if (recorded === undefined || recorded === key) return;
  throw new UserError(
    `${node} says another key for secrets than when it joined, so nothing was sealed: somebody may speak in its name. Look at it with "hearth audit" and "hearth nodes", and let it join anew.`,
  );
}
