/** What `hearth doctor` says of one thing it looked at. */
export interface Finding {
  /** What was looked at, such as `disk`. */
  readonly check: string;
  /** `warn`: it will be trouble; `bad`: it is; `skipped`: it could not be looked at, or does not apply. */
  readonly level: 'ok' | 'warn' | 'bad' | 'skipped';
  readonly text: string;
  /** What to do about it: always there for `warn` and `bad`. */
  readonly fix?: string;
}

export const fine = (check: string, text: string): Finding => ({ check, level: 'ok', text });
export const skipped = (check: string, text: string): Finding => ({ check, level: 'skipped', text });
export const warn = (check: string, text: string, fix: string): Finding => ({ check, level: 'warn', text, fix });
export const bad = (check: string, text: string, fix: string): Finding => ({ check, level: 'bad', text, fix });
