/** Principals as the broker needs them: what the table asks of a connection, and which client ids are whose. */
import type { Role } from '../../shared/schemas/trust.ts';
import { nodeOfClientId } from '../../shared/topics.ts';
import type { Principal } from '../trust/types.ts';

/** One bit per role, so that a rule answers with one operation. */
export const roleBit = { admin: 1, operator: 2, viewer: 4, integration: 8, node: 16 } as const satisfies Record<
  Role,
  number
>;

/** What the table looks at. */
export interface Access {
  readonly bit: number;
  readonly role: Role | undefined;
  /** Whose own parts it may use, where it is a node. */
  readonly node: string | undefined;
}

/** Before somebody is known. */
export const noAccess: Access = { bit: 0, role: undefined, node: undefined };

export const accessOf = ({ role, name }: Principal): Access => ({
  bit: roleBit[role],
  role,
  node: role === 'node' ? name : undefined,
});

/** Who has it and who left a session behind, as one word: the same person by password or by certificate is one. */
export function principalKey({ role, name, how }: Principal): string {
  if (role === 'node') return `node/${name}`;
  return how === 'owner' ? 'owner' : how === 'token' ? `token/${name}` : `user/${name}`;
}

/** Whether `key` is one of whom a revocation names. */
export const isRevoked = (key: string, who: { readonly kind: 'node' | 'user'; readonly name: string }): boolean =>
  who.kind === 'node' ? key === `node/${who.name}` : key === `user/${who.name}` || key === `token/${who.name}`;

/** Whose a session is that was kept before sessions had an owner: then everybody was on this machine. */
export function keyOfUnnamed(base: string, clientId: string): string {
  const node = nodeOfClientId(base, clientId);
  return node === undefined ? 'owner' : `node/${node}`;
}

/**
 * Who a principal is under the client id it came with. Ids of the form `<base>-<id>` are for nodes alone, each for its
 * own; whoever owns this machine may be any of them.
 * @returns the principal, or a sentence on why it may not have that client id.
 */
export function underClientId(principal: Principal, base: string, clientId: string): Principal | string {
  const node = nodeOfClientId(base, clientId);
  if (principal.role === 'node') {
    return node === principal.name ? principal : `a node connects with the client id ${base}-${principal.name}`;
  }
  if (!clientId.startsWith(`${base}-`)) return principal;
  if (principal.how !== 'owner') return `client ids that start with "${base}-" are for nodes`;
  return node === undefined ? principal : { role: 'node', name: node, how: 'owner' };
}
