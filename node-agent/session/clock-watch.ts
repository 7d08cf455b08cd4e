/** When a machine's clock is worth a word. Pure. */

/** Stamps of logs and measurements that differ by this much lead people astray. */
const warnMs = 5000;
/** A difference that has changed by this much is worth a new `info`: that is retained, and no place for what changes all the time. */
const stepMs = 500;

export class ClockWatch {
  #off: number | undefined;
  #wrong = false;

  /** This machine's wall clock less the supervisor's; undefined before anybody told. */
  get off(): number | undefined {
    return this.#off;
  }

  /** @returns whether others should be told, and what to warn of. */
  take(ms: number): { readonly news: boolean; readonly warning?: string } {
    const news = this.#off === undefined || Math.abs(ms - this.#off) >= stepMs;
    this.#off = Math.round(ms);
    const wrong = Math.abs(ms) >= warnMs;
    const warning = wrong && !this.#wrong;
    this.#wrong = wrong;
    if (!warning) return { news };
    const where = ms > 0 ? 'ahead of' : 'behind';
    const what = `this machine's clock is ${spanOf(Math.abs(ms) / 1000)} ${where} the supervisor's: set it, or let NTP do so`;
    return { news, warning: what };
  }
}

function spanOf(s: number): string {
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} days`;
}
