/** What the core of a node's jobs remembers beside tasks: recipes that it was told of, and tokens that were revoked. Pure. */
import type { Recipe } from '../../shared/schemas/work.ts';

export class Recipes extends Map<number, Recipe> {
  /** @returns those that are forgotten by that. */
  keepOnly(needed: ReadonlySet<number>): number[] {
    const over = [...this.keys()].filter(r => !needed.has(r));
    for (const r of over) this.delete(r);
    return over;
  }

  /** They wait for heat no more. */
  urgent(said: readonly number[]): void {
    for (const r of said) {
      const { heat, ...recipe } = this.get(r) ?? {};
      if (heat) this.set(r, recipe as Recipe);
    }
  }
}

/** Tokens that were revoked and whose executor may not know yet; of too many the oldest is forgotten. */
export class Revoked extends Set<number> {
  static readonly most = 20_000;

  override add(token: number): this {
    super.add(token);
    if (this.size > Revoked.most) this.delete(this.values().next().value ?? 0);
    return this;
  }
}
