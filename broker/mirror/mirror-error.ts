/** Why the mirror does not serve something, with the HTTP status that says it. */
export class MirrorError extends Error {
  readonly status: number;

  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}
