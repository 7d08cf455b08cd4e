/**
 * Where machines ask to become nodes. What the HTTP endpoints, the broker and the dashboard see of joining; `open.ts`
 * makes one. The pure decisions are in the files beside it.
 */
import type { JoinAnswer, TrustBundle } from '../../../shared/schemas/trust.ts';
import type { Given } from '../../desired/compile.ts';
import type { AdminVerb, CertifiedClient } from '../types.ts';

/** `joined` is HTTP 200, `pending` 202, `refused` 403 (429 with `retryMs`) and `{"error": sentence}`. */
export type JoinReply =
  | JoinAnswer
  | { readonly state: 'refused'; readonly sentence: string; readonly retryMs?: number };

/** A machine that waits for a person, as `join.pending` and the dashboard show it. All of it but address and code is unproven. */
export interface PendingMachine {
  /** What both sides show: it names the machine in `join.approve` and `join.deny`. */
  readonly code: string;
  /** The id it gets unless the person names another. */
  readonly node: string;
  readonly address: string;
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly macs: string;
  readonly cores?: number;
  readonly mem_mb?: number;
  readonly ver: string;
  readonly since_ms: number;
  readonly seen_ms: number;
  /** What the approver should know, such as that its machine-id is that of a node. */
  readonly note?: string;
}

/** A node that joined, as `node.list` shows it. */
export interface JoinedNode {
  readonly node: string;
  readonly state: 'active' | 'revoked';
  readonly joined_ms: number;
  /** `token ID`, `rule N`, `copy of NODE` or `approved by NAME`. */
  readonly by: string;
  readonly hostname: string;
  readonly macs: string;
  readonly arch: string;
  /** Of the newest certificate. */
  readonly serial: string;
  readonly expires_ms: number;
  /** The node whose folder this one's was copied from. */
  readonly clone_of?: string;
  readonly room?: string;
  readonly zone?: string;
  /** Comma-joined. */
  readonly roles?: string;
}

export interface JoinDesk {
  /** `GET /trust/bundle`. */
  bundle(): TrustBundle;
  /** `GET /trust/time?nonce=…`; undefined where the nonce is not 16 to 64 of `A-Za-z0-9_-`. */
  time(nonce: string): TrustBundle | undefined;
  /** `POST /join`; `body` is JSON as it came. Never throws for what the other side sent. */
  ask(body: unknown, address: string): Promise<JoinReply>;
  /** `GET /join/<ticket>`; undefined is 404: ask anew. */
  again(ticket: string): JoinReply | undefined;
  /** `POST /renew`. */
  renew(body: unknown, address: string): Promise<JoinReply>;
  /** Whether a certificate that the CA finds valid is one of a node that may be here. Users' are judged by accounts. */
  isRevoked(client: CertifiedClient): boolean;
  /** A node's connections must end: revoked, forgotten, or another machine goes on under its id. */
  onRevoked(listener: (node: string) => void): void;
  nodes(): readonly JoinedNode[];
  /** The node's key for sealed secrets, as it told it when it joined. */
  sealKey(node: string): string | undefined;
  /** Its MAC addresses, comma-joined, as it told them when it joined. */
  macs(node: string): string | undefined;
  /** What was decided about a node when it joined; undefined for one that did not. */
  given(node: string): Given | undefined;
  pending(): readonly PendingMachine[];
  /** The pending machines or the nodes have changed. @returns the way to stop listening. */
  onChange(listener: () => void): () => void;
  /** Every node's connections end, to be judged anew: a CA is trusted no more. */
  askAllAgain(): void;
  /** `do/forget`: what is known of the node goes, and with it its certificates. */
  forget(node: string): Promise<void>;
  /** `token.*`, `join.*`, `rule.*`, `node.*`. */
  readonly verbs: readonly AdminVerb[];
  close(): void;
}
