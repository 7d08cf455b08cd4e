/**
 * What an agent obeys. Pure: bytes in, a verdict out. A node obeys one cluster, known by its key's fingerprint; within
 * it only what is signed for this node and newer than what it obeys already (DESIGN, rule 2).
 */

import { z } from 'zod';
import { type OrderKind, open, type Verifier } from '../../shared/authority.ts';
import { check, decodeText, parseJson } from '../../shared/codec.ts';
import { fail, ok, type Result, sentence } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { printable } from '../../shared/names.ts';
import { type Cmd, cmdPayload, type Want, wantPayload } from '../../shared/schemas/want.ts';

export interface Pin {
  readonly fingerprint: string;
  readonly key: string;
}

/** What decides whether an order is obeyed. */
export interface Allegiance {
  readonly node: string;
  readonly verifier: Verifier;
  /** The cluster joined already. */
  readonly pin: Pin | undefined;
  /** `--cluster`: the only fingerprint that may be joined. */
  readonly expected: string | undefined;
  /** The first cluster heard may be joined: the broker is on this machine's loopback. */
  readonly trustFirst: boolean;
}

/** Generation and revision of the document obeyed. */
export interface Version {
  readonly gen: number;
  readonly rev: number;
}

/** Room for the keys of authority and the signature around a document of the greatest size. */
const sealed = limits.want + 4096;

/** The two keys of an order that can be read before anything about it is known to be true. */
const claim = z.object({ cluster: z.string().max(64), key: z.string().max(64) });

interface Authentic {
  /** The signed text. */
  readonly text: string;
  readonly json: unknown;
  /** Whose it is. */
  readonly pin: Pin;
}

function authentic(allegiance: Allegiance, kind: OrderKind, payload: Uint8Array, maxBytes: number): Result<Authentic> {
  const text = decodeText(payload, maxBytes);
  if (!text.ok) return text;
  const json = parseJson(text.value);
  return json.ok ? authenticate(allegiance, kind, text.value, json.value) : json;
}

/** Checks cluster and signature of a message; the value is the signed body, parsed, its text, and whose it is. */
export function authenticate(allegiance: Allegiance, kind: OrderKind, text: string, json: unknown): Result<Authentic> {
  const claimed = check(claim, json);
  if (!claimed.ok) return claimed;
  const { cluster, key } = claimed.value;
  const foreign = whyForeign(allegiance, kind, cluster, key);
  if (foreign) return fail('signature', foreign);
  const opened = open(allegiance.verifier, key, kind, allegiance.node, text);
  if (!opened.ok) return opened;
  // What was parsed is the signed text and, as its last key, the signature: without that key it is what was signed.
  const { sig: _, ...body } = json as { readonly sig?: unknown };
  return ok({ text: opened.value.text, json: body, pin: { fingerprint: cluster, key } });
}

function whyForeign(allegiance: Allegiance, kind: OrderKind, cluster: string, key: string): string | undefined {
  const { pin, expected, trustFirst, verifier } = allegiance;
  const theirs = printable(cluster, 40);
  if (pin) {
    if (pin.fingerprint === cluster && pin.key === key) return undefined;
    return `ignored a ${kind} of cluster ${theirs}: this node belongs to ${pin.fingerprint}`;
  }
  if (verifier.fingerprint(key) !== cluster) return `the ${kind} of cluster ${theirs} carries another cluster's key`;
  if (expected !== undefined) {
    return expected === cluster ? undefined : `ignored a ${kind} of cluster ${theirs}: --cluster says ${expected}`;
  }
  return trustFirst
    ? undefined
    : `ignored a ${kind} of cluster ${theirs}: this node has joined none, start it with --cluster`;
}

export type WantVerdict =
  /** Newer than what is obeyed. `pin` is set where this is the first one: it must be on disk before it is obeyed. */
  | { readonly kind: 'obey'; readonly want: Want; readonly text: string; readonly pin?: Pin }
  /** The one obeyed already, sent again. */
  | { readonly kind: 'same' }
  /** Of this cluster, but older than what is obeyed: late, or from a store that was put back. */
  | { readonly kind: 'older'; readonly version: Version }
  | { readonly kind: 'refused'; readonly why: string };

export function judgeWant(allegiance: Allegiance, obeyed: Version | undefined, payload: Uint8Array): WantVerdict {
  const message = authentic(allegiance, 'want', payload, sealed);
  if (!message.ok) return { kind: 'refused', why: sentence(message.error) };
  const { json, text, pin } = message.value;
  const want = check(wantPayload, json);
  if (!want.ok) return { kind: 'refused', why: `cannot read the want: ${sentence(want.error)}` };
  if (want.value.node !== allegiance.node) return { kind: 'refused', why: 'the want is another node’s' };
  const { gen, rev } = want.value;
  if (obeyed) {
    if (gen === obeyed.gen && rev === obeyed.rev) return { kind: 'same' };
    if (gen < obeyed.gen || (gen === obeyed.gen && rev < obeyed.rev)) return { kind: 'older', version: { gen, rev } };
  }
  return { kind: 'obey', want: want.value, text, ...(allegiance.pin ? {} : { pin }) };
}

/** The document kept on disk, as {@link judgeWant} gave it: authentic when written, so only its form is checked. */
export function readKeptWant(text: string, node: string, pin: Pin | undefined): Result<Want> {
  const json = parseJson(text);
  if (!json.ok) return json;
  const want = check(wantPayload, json.value);
  if (!want.ok) return want;
  if (want.value.node !== node) return fail('id', `it is the document of ${printable(want.value.node)}`);
  if (want.value.cluster !== pin?.fingerprint) return fail('signature', 'it is the document of another cluster');
  return want;
}

/** The connection an order must be bound to, and the last order obeyed on it. */
export interface OrderSession {
  readonly inst: string;
  readonly epoch: number;
  readonly lastSeq: number;
  readonly gen: number;
}

/** A verb that this agent does not know is answered, so it is read as text first. */
const anyCmd = z.object({ ...cmdPayload.shape, verb: z.string().max(40) });
const knownVerbs = new Set<string>(cmdPayload.shape.verb.options);

export type CmdVerdict =
  | { readonly kind: 'obey'; readonly cmd: Cmd }
  /** Authentic and ours, but not to be done; answered on `done`. */
  | { readonly kind: 'answer'; readonly id: string; readonly seq: number; readonly error: string }
  /** Not for this session, or a copy: nothing is said. */
  | { readonly kind: 'ignored'; readonly why: string };

export function judgeCmd(allegiance: Allegiance, session: OrderSession, payload: Uint8Array): CmdVerdict {
  const message = authentic(allegiance, 'cmd', payload, limits.message);
  if (!message.ok) return { kind: 'ignored', why: sentence(message.error) };
  const parsed = check(anyCmd, message.value.json);
  if (!parsed.ok) return { kind: 'ignored', why: `cannot read the order: ${sentence(parsed.error)}` };
  const cmd = parsed.value;
  if (cmd.node !== allegiance.node) return { kind: 'ignored', why: 'an order to another node' };
  if (cmd.inst !== session.inst || cmd.epoch !== session.epoch) {
    return { kind: 'ignored', why: `an order to epoch ${cmd.epoch} of ${printable(cmd.inst)}, not to this session` };
  }
  if (cmd.gen < session.gen) return { kind: 'ignored', why: `an order of generation ${cmd.gen}, now ${session.gen}` };
  if (cmd.seq <= session.lastSeq) return { kind: 'ignored', why: `order ${cmd.seq} was seen already` };
  if (!knownVerbs.has(cmd.verb)) {
    const error = `this agent does not know the verb "${printable(cmd.verb, 40)}"`;
    return { kind: 'answer', id: cmd.id, seq: cmd.seq, error };
  }
  // A node that has joined nobody does nothing for anybody; but it must hear that its id is taken.
  if (!allegiance.pin && cmd.verb !== 'backoff' && cmd.verb !== 'rebirth') {
    return { kind: 'answer', id: cmd.id, seq: cmd.seq, error: 'this node has not joined the cluster yet' };
  }
  return { kind: 'obey', cmd: cmd as Cmd };
}
