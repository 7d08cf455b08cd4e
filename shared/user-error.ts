/**
 * An error whose message is one whole sentence for the person at the keyboard: what was wrong, where, what to do. It is
 * printed as it stands, without a stack; everything else that is thrown is a defect and keeps its stack in the log.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
  /** Exit code of the command. */
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
