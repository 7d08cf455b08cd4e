/** Inline code, and where it goes: told to the audit when a node is given it for the first time, with who sent it. */
import { createHash } from 'node:crypto';
import type { Recipe } from '../../shared/schemas/work.ts';
import type { Audit } from '../trust/types.ts';

export type Record = (entry: Parameters<Audit['record']>[0]) => void;

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export class CodeAudit {
  readonly #record: Record | undefined;
  /** Nodes that have it, by recipe. */
  readonly #given = new Map<number, { readonly job: string; readonly nodes: Set<string> }>();

  constructor(record: Record | undefined) {
    this.#record = record;
  }

  sent(node: string, recipes: readonly Recipe[]): void {
    for (const { r, job, by, code } of recipes) {
      if (code === undefined) continue;
      const given = this.#given.get(r) ?? { job, nodes: new Set() };
      this.#given.set(r, given);
      if (given.nodes.has(node)) continue;
      given.nodes.add(node);
      this.#record?.({
        ...{ who: by, how: 'none', from: 'unknown', what: 'job.code.run', target: `node/${node}`, ok: true },
        detail: `job ${job}, sha256 ${sha256(code)}`,
      });
    }
  }

  gone(job: string): void {
    for (const [r, given] of this.#given) if (given.job === job) this.#given.delete(r);
  }
}
