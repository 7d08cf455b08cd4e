/** What the supervisor says about secrets; it can open none. */
import { z } from 'zod';
import { isId } from '../../../shared/names.ts';
import { type AdminVerb, adminVerb } from '../types.ts';

export interface SecretVerbsOptions {
  /** The node's public key for secrets, as it told when it joined or renewed; undefined where it did neither. */
  sealKey(node: string): string | undefined;
}

export const secretVerbs = ({ sealKey }: SecretVerbsOptions): AdminVerb[] => [
  adminVerb({
    name: 'secret.key',
    role: 'viewer',
    args: z.strictObject({ node: z.string().refine(isId, 'no id of a node') }),
    run({ node }) {
      const key = sealKey(node);
      return { node, ...(key === undefined ? {} : { seal_key: key }) };
    },
  }),
];
