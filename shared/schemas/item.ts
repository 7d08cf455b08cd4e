/** What the items of a document have in common. */
import { z } from 'zod';
import { isItemName } from '../names.ts';

/** The kinds of items a document has, in the order in which a node comes to them. */
export const itemKinds = ['packages', 'files', 'services', 'checks'] as const;
export type ItemKindName = (typeof itemKinds)[number];

export const itemNameSchema = z
  .string()
  .refine(isItemName, 'not a name: use 1 to 64 of A-Z a-z 0-9 . _ @ : ~ -, and say others with "name" or "path"');
