/** What people see of the store, and take out of it. Bringing something and having it is HTTP of its own (routes/artifacts.ts). */
import { z } from 'zod';
import { type AdminVerb, adminVerb } from '../trust/types.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { storeLimits } from './file-store.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256: use 64 of 0-9 and a-f');

export const artifactVerbs = (store: Pick<ArtifactStore, 'list' | 'remove'>): AdminVerb[] => [
  adminVerb({
    name: 'artifact.list',
    role: 'viewer',
    args: z.strictObject({}),
    run() {
      const artifacts = store.list().map(({ usedAt, ...one }) => ({ ...one, used_ms: Math.round(usedAt) }));
      const bytes = artifacts.reduce((sum, { size }) => sum + size, 0);
      return { artifacts, bytes, most_bytes: storeLimits.total };
    },
  }),
  adminVerb({
    name: 'artifact.rm',
    role: 'operator',
    args: z.strictObject({ sha256 }),
    audit: args => args.sha256,
    async run(args) {
      await store.remove(args.sha256);
      return { sha256: args.sha256 };
    },
  }),
];
