/**
 * What a secret looks like in a document: `sealed:v1:<base64url>`, wherever a value of a service's environment may stand.
 * Only the node it was sealed to can read it, and only at the place it was sealed for (sealed-secret.ts).
 */

/** Begins every sealed value, and no other text in a document. */
export const sealedMark = 'sealed:';
const prefix = 'sealed:v1:';
/** Base64url of the encapsulated key (65 bytes), the text and the tag (16 bytes). */
const shape = /^sealed:v1:[A-Za-z0-9_-]{108,16374}$/;

/** Longest secret, in bytes of UTF-8: sealed, it still is a value of 16 kB. */
export const longestSecret = 12_000;

/** Also of a later version, or damaged: no such text is ever handed to a service as it stands. */
export const looksSealed = (value: string): boolean => value.startsWith(sealedMark);

/** Encapsulated key and ciphertext of a whole sealed value, undefined where it is none. */
export function sealedParts(value: string): { readonly enc: Uint8Array; readonly ciphertext: Uint8Array } | undefined {
  if (!shape.test(value)) return undefined;
  const bytes = Uint8Array.from(Buffer.from(value.slice(prefix.length), 'base64url'));
  return { enc: bytes.subarray(0, 65), ciphertext: bytes.subarray(65) };
}

export const sealedText = (enc: Uint8Array, ciphertext: Uint8Array): string =>
  prefix + Buffer.concat([enc, ciphertext]).toString('base64url');

/** The one place where a sealed value counts. A copy of it elsewhere is no secret that anybody can open. */
export interface SecretPlace {
  readonly node: string;
  readonly service: string;
  /** Name of the environment variable. */
  readonly name: string;
}

/** What is bound into the seal. */
export const placeText = ({ node, service, name }: SecretPlace): string =>
  `hearth/secret/${node}/services/${service}/env/${name}`;
