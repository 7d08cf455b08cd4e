/**
 * What the reference documentation says about a payload beyond what its schema says itself. The texts are keyed by the
 * schema's own keys: a key without a text, or a text without a key, does not compile.
 */
import type { z } from 'zod';

export interface Payload {
  /** File name of the JSON Schema, and anchor. */
  readonly name: string;
  readonly title: string;
  readonly schema: z.ZodType;
  readonly text: string;
  /** Per key; absent where the payload is no object. */
  readonly keys?: Readonly<Record<string, string>>;
  /** Fits the schema (a test sees to it). */
  readonly example: unknown;
}

export const payload = <S extends z.ZodObject>(
  name: string,
  title: string,
  schema: S,
  text: string,
  keys: { readonly [K in keyof S['shape'] & string]: string },
  example: z.input<S>,
): Payload => ({ name, title, schema, text, keys, example });

export const epoch = 'rises at every CONNECT of the node';
export const inst = 'random name of the installation, kept on the node';
export const at = 'epoch milliseconds';
export const cluster = "fingerprint of the cluster's key: the first 16 bytes of its SHA-256, in hex";
export const authority = {
  cluster,
  key: "the cluster's Ed25519 public key, base64url",
  gen: 'generation of the cluster, raised by a restore',
  rev: 'revision, the cluster-wide journal sequence',
  node: 'id of the node it is for',
};
export const exampleAuthority = {
  cluster: '0123456789abcdef0123456789abcdef',
  key: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  gen: 0,
  rev: 42,
  node: 'n1',
};
