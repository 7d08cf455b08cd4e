/**
 * Whether a machine that asks is let in, why, and as whom. Pure: what is known goes in, a verdict comes out.
 *
 *   key of a node                      its certificate again (an answer was lost), with no new rights; revoked: refused
 *   token                              in. It does not bring back who was revoked, unless it was made for that node
 *   key of a copied folder             in, as a node of its own, some a day; more, or a revoked one: waits
 *   rule that approves                 in, as a new node only: facts are unproven, so no rule hands on an id
 *   otherwise                          waits for a person
 *
 * The id of a node that exists goes to another key only where the token or the person names it, or where a token comes
 * from the same machine (machine-id, which is not public, and a network card) while the node is away: set up again.
 */
import { printable } from '../../../shared/names.ts';
import type { JoinRequest } from '../../../shared/schemas/trust.ts';
import { chooseId, freeId } from './node-id.ts';
import { joiningLimits, type NodeRecord, type Place, type TokenRecord } from './records.ts';
import type { Roster } from './roster.ts';
import { sharesCard } from './roster.ts';
import type { Ruled } from './rules.ts';

export interface Known {
  readonly roster: Roster;
  node(id: string): NodeRecord | undefined;
  /** Somebody has, or is about to get, this id. */
  taken(id: string): boolean;
  online(id: string): boolean;
  /** Whether a certificate of this key is the node's newest, or still valid. */
  isKeyOf(record: NodeRecord, key: string): boolean;
  /** Copies of this node's folder that joined within a day. */
  copies(node: string): number;
}

export interface Asking {
  readonly request: JoinRequest;
  /** Hash of its key. */
  readonly key: string;
  readonly ruled: Ruled;
  readonly token?: TokenRecord;
  /** The node whose folder was copied, proven by its key. */
  readonly copyOf?: NodeRecord;
}

export interface Admission extends Place {
  readonly node: string;
  readonly by: string;
  readonly cloneOf?: string;
  /** It goes on under the id of a node that exists: the key of that one counts no more. */
  readonly replaces: boolean;
}

export type Verdict =
  | ({ readonly verdict: 'join' } & Admission)
  | { readonly verdict: 'again'; readonly node: string }
  | { readonly verdict: 'wait'; readonly node: string; readonly note?: string }
  | { readonly verdict: 'refuse'; readonly sentence: string };

const refuse = (sentence: string): Verdict => ({ verdict: 'refuse', sentence });

export function judge(known: Known, asking: Asking): Verdict {
  const { request, key, ruled, token, copyOf } = asking;
  const own = known.roster.byKey(key);
  if (own) return again(known, own, asking);
  const node = suggestedId(known, asking);
  const banned = known.roster.revoked(request.facts);
  const { room, zone, roles } = ruled;
  if (token) {
    const by = `token ${token.id}`;
    const chosen = idByToken(known, asking, token, banned);
    return 'sentence' in chosen ? refuse(chosen.sentence) : { verdict: 'join', by, room, zone, roles, ...chosen };
  }
  const note = noteFor(known, asking, banned);
  const wait: Verdict = { verdict: 'wait', node, ...(note === undefined ? {} : { note }) };
  if (banned) return wait;
  if (copyOf) {
    const by = `copy of ${copyOf.node}`;
    // Its folder and one of its network cards: the machine itself, with a machine-id made anew.
    if (sharesCard(copyOf.facts, request.facts) && !known.online(copyOf.node)) {
      return { verdict: 'join', by, ...placeOf(copyOf), node: copyOf.node, replaces: true };
    }
    if (known.copies(copyOf.node) >= joiningLimits.copiesPerDay) return wait;
    const id = freeId(copyOf.node, { facts: request.facts, key, taken: known.taken });
    return { verdict: 'join', by, room, zone, roles, node: id, cloneOf: copyOf.node, replaces: false };
  }
  const { approvedBy } = ruled;
  const before = known.roster.sameMachine(request.facts);
  const named = request.node !== undefined && known.taken(request.node);
  if (approvedBy === undefined || before || named) return wait;
  return { verdict: 'join', by: `rule ${approvedBy}`, room, zone, roles, node, replaces: false };
}

const placeOf = ({ room, zone, roles }: Place): Place => ({ room, zone, roles });

function again(known: Known, own: NodeRecord, { request, key }: Asking): Verdict {
  if (own.state === 'revoked') {
    return refuse(
      `This machine was node "${own.node}", and its certificate was revoked: let it in again with a token made for it (hearth token --node ${own.node}) and new keys.`,
    );
  }
  if (!known.isKeyOf(own, key)) {
    return refuse(`The key of this request is an old one of node "${own.node}": join with new keys and a token.`);
  }
  // Whoever has seen a CSR could send it again, but not have secrets sealed to a key of his own by it.
  if (own.seal_key !== request.seal_key) {
    return refuse(
      `The key of this request is that of node "${own.node}", but its key for secrets is another: renew the certificate instead, or join with new keys.`,
    );
  }
  return { verdict: 'again', node: own.node };
}

function idByToken(
  known: Known,
  asking: Asking,
  token: TokenRecord,
  banned: NodeRecord | undefined,
): Pick<Admission, 'node' | 'replaces'> | { readonly sentence: string } {
  const { request } = asking;
  if (token.node !== undefined) {
    if (request.node !== undefined && request.node !== token.node) {
      return {
        sentence: `This token is for node "${token.node}", not for "${request.node}": leave out --node, or use another token.`,
      };
    }
    return takeOver(known, token.node);
  }
  if (banned) {
    return {
      sentence: `This looks like the machine of node "${banned.node}", which was revoked: where that is meant, let it in again with a token made for it, on the supervisor: hearth token --node ${banned.node}.`,
    };
  }
  const before = known.roster.sameMachine(request.facts);
  const isBack = before !== undefined && !known.online(before.node);
  if (isBack && (request.node === undefined || request.node === before.node)) {
    return { node: before.node, replaces: true };
  }
  if (request.node !== undefined && known.taken(request.node)) {
    return {
      sentence: `There is a node "${request.node}" already: choose another --node, or, where this machine shall go on as that one, use a token made for it, on the supervisor: hearth token --node ${request.node}.`,
    };
  }
  return { node: suggestedId(known, asking), replaces: false };
}

/** Where a person has named the node that a machine shall be. */
export function takeOver(known: Known, id: string): { node: string; replaces: boolean } | { sentence: string } {
  if (known.node(id)) return { node: id, replaces: true };
  if (known.online(id)) {
    return {
      sentence: `Node "${id}" is online without a certificate, on the supervisor's own machine: choose another id.`,
    };
  }
  return { node: id, replaces: false };
}

/** What it would be called as a new node. */
export function suggestedId(known: Known, { request, key, ruled }: Asking): string {
  const naming = { facts: request.facts, key, taken: known.taken };
  if (request.node !== undefined) return freeId(request.node, naming);
  return chooseId(ruled.node, naming);
}

/** What the person who decides should know. */
export function noteFor(known: Known, { request, copyOf }: Asking, banned: NodeRecord | undefined): string | undefined {
  const { roster } = known;
  if (banned) return `looks like the machine of node "${banned.node}", which was revoked`;
  if (copyOf) return `its folder is a copy of that of node "${copyOf.node}", as are many others'`;
  const before = roster.sameMachine(request.facts);
  if (before)
    return `says that it is the machine of node "${before.node}"; --node ${before.node} --replace lets it go on as that`;
  if (request.node !== undefined && known.taken(request.node))
    return `asks for the id "${printable(request.node)}", which is taken`;
  return cloneNote(roster, request);
}

/** A machine-id or a network card that a node has already. */
export function cloneNote(roster: Roster, { facts }: JoinRequest): string | undefined {
  const cloned = roster.otherMachine(facts);
  if (cloned)
    return `has the machine-id of node "${cloned.node}", but none of its network cards: one of them was cloned`;
  const hardware = roster.sameHardware(facts);
  return (
    hardware && `has a network card of node "${hardware.node}", but another machine-id: perhaps it was installed anew`
  );
}
