/** A sensor that drops out repeats its last value for at most 30 s; then its key goes (contract, payload rules). Pure. */
const holdMs = 30_000;

export class Hold {
  readonly #last = new Map<string, { readonly value: number; readonly at: number }>();

  /** @returns `fresh` completed with what was seen within the last 30 s. */
  complete(fresh: Readonly<Record<string, number | undefined>>, now: number): Record<string, number> {
    const out: Record<string, number> = {};
    for (const [key, value] of Object.entries(fresh)) {
      if (value === undefined || !Number.isFinite(value)) continue;
      this.#last.set(key, { value, at: now });
      out[key] = value;
    }
    for (const [key, { value, at }] of this.#last) {
      if (key in out) continue;
      if (now - at <= holdMs) out[key] = value;
      else this.#last.delete(key);
    }
    return out;
  }
}
