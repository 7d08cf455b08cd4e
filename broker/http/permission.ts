/** What a role may have of the HTTP port. Every route names one of these; pure. */
import type { Role } from '../../shared/schemas/trust.ts';

/** `public` is everybody's, `member` anybody's who is known; `artifacts` (reading them) and `upload` also a node's; the others name the least role. */
export type Permission = 'public' | 'member' | 'artifacts' | 'upload' | 'viewer' | 'operator' | 'admin';

const may: Readonly<Record<Exclude<Permission, 'public'>, readonly Role[]>> = {
  member: ['admin', 'operator', 'viewer', 'integration', 'node'],
  artifacts: ['admin', 'operator', 'viewer', 'node'],
  upload: ['admin', 'operator', 'node'],
  viewer: ['admin', 'operator', 'viewer'],
  operator: ['admin', 'operator'],
  admin: ['admin'],
};

export const isAllowed = (permission: Permission, role: Role | undefined): boolean =>
  permission === 'public' || (role !== undefined && may[permission].includes(role));
