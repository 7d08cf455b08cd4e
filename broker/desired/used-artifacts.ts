/** Artifacts that documents name, those of a rollout's earlier word with them: they are never thrown out. */
import { type ArtifactUse, usesIn } from '../artifacts/uses.ts';
import type { Journal } from './journal.ts';

export function* usedArtifacts({ nodes, roles }: Pick<Journal, 'nodes' | 'roles'>): Generator<ArtifactUse> {
  for (const [node, { document }] of nodes) yield* usesOf(document, `node ${node}`);
  for (const [role, { document, rollout }] of roles) {
    yield* usesOf(document, `role ${role}`);
    if (rollout) yield* everyUse(rollout, `the rollout of role ${role}`);
  }
}

function* usesOf(document: { readonly agent?: { readonly sha256?: string | undefined } | undefined }, where: string) {
  yield* usesIn(document, where);
  const sha256 = document.agent?.sha256;
  if (sha256 !== undefined) yield { sha256, where: `${where}: agent` };
}

/** Documents stand at some depth in it: an agent's hash is told by its key. */
function* everyUse(value: object, where: string): Generator<ArtifactUse> {
  yield* usesIn(value, where);
  const left: unknown[] = [value];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    const { agent } = next as { agent?: { sha256?: unknown } };
    if (typeof agent?.sha256 === 'string') yield { sha256: agent.sha256, where: `${where}: agent` };
    left.push(...Object.values(next));
  }
}
