/** Why an input was not taken. Codes are stable: tests and other programs may compare them, the text is for people. */
export type ContractErrorCode =
  | 'topic'
  | 'id'
  | 'too-large'
  | 'too-deep'
  | 'not-utf8'
  | 'not-json'
  | 'schema'
  | 'empty'
  | 'retained'
  | 'stale-rev'
  | 'unknown-node'
  | 'unknown-key'
  | 'unknown-verb'
  | 'not-available'
  | 'full'
  | 'denied'
  | 'conflict'
  | 'journal'
  | 'signature';

/** A refusal that says what was wrong, where (a key path or a topic), and what to do about it. */
export interface ContractError {
  readonly code: ContractErrorCode;
  /** One sentence for people: what was wrong, and what to do. */
  readonly message: string;
  /** Where: a dotted key path such as `services.hello.run`, or absent when the whole message is meant. */
  readonly at?: string;
}

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ContractError };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export const fail = (code: ContractErrorCode, message: string, at?: string): { ok: false; error: ContractError } => ({
  ok: false,
  error: at === undefined || at === '' ? { code, message } : { code, message, at },
});

/** The sentence that goes on `result`: the place first, then what was wrong. */
export const sentence = (error: ContractError): string =>
  error.at === undefined ? error.message : `${error.at}: ${error.message}`;
