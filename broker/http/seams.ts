/** What the HTTP port needs of the parts of trust, and no more. main.ts hands in the real ones. */
import type { JoinAnswer, TrustBundle } from '../../shared/schemas/trust.ts';
import type { SocketOwners } from '../access/socket-owner.ts';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import type { Distribution } from '../artifacts/distribution.ts';
import type { AdminVerb, Audit, Authenticator, CertificateAuthority, Principal } from '../trust/types.ts';

/** Who logged in with a browser. */
export interface WebSessions {
  open(principal: Principal, from: string): Promise<{ readonly id: string; readonly expiresMs: number }>;
  /** @param id as the cookie has it, whatever it is. Finding a session is using it. */
  find(id: string | undefined): WebSession | undefined;
  close(id: string): Promise<void>;
  /** With the `key` of every session that ends. */
  onEnded(listener: (key: string) => void): void;
}

export interface WebSession {
  /** Names the session, and is no secret. */
  readonly key: string;
  readonly principal: Principal;
  readonly csrf: string;
}

/** Where machines ask to become nodes. */
export interface JoinCounter {
  bundle(): TrustBundle;
  /** Undefined where the nonce is none. */
  time(nonce: string): TrustBundle | undefined;
  /** Never throws for what the other side sent. */
  ask(body: unknown, address: string): Promise<JoinReply>;
  /** Undefined: no such ticket. */
  again(ticket: string): JoinReply | undefined;
  renew(body: unknown, address: string): Promise<JoinReply>;
  /** Machines that wait for a person. */
  pending(): readonly object[];
  /** @returns the way to stop listening. */
  onChange(listener: () => void): () => void;
}

export type JoinReply =
  | JoinAnswer
  | { readonly state: 'refused'; readonly sentence: string; readonly retryMs?: number };

export interface WebTrust {
  readonly authenticator: Authenticator;
  readonly sessions: WebSessions;
  readonly audit: Audit;
  readonly owners: SocketOwners;
  readonly verbs: readonly AdminVerb[];
  readonly desk: JoinCounter;
  readonly authority: Pick<
    CertificateAuthority,
    'certificates' | 'serverCredentials' | 'onServerCertificate' | 'verifyClient'
  >;
  /** This machine's names in the network, lower case, the best first. */
  names(): readonly string[];
}

/** What people ask of rooms. */
export interface WebRooms {
  /**
   * A `set` of several keys, as on the room's topic, in the name of who is logged in.
   * @param address of who asks, or `local`.
   * @returns the answer; undefined where none came: it may or may not have been taken.
   */
  set(room: string, patch: object, who: Principal, address: string): Promise<RoomAnswer | undefined>;
}

/** @property rev of the room's document with the change in it. */
export type RoomAnswer =
  | { readonly ok: true; readonly rev: number }
  | { readonly ok: false; readonly sentence: string; readonly away?: true };

export interface WebArtifacts {
  readonly store: ArtifactStore;
  readonly distribution: Pick<Distribution, 'installScript'>;
}
