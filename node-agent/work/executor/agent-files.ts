/** Files as the executor has them: its agent fetches and uploads, since only that holds the node's credentials. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Files } from './runner.ts';
import { isToken } from './wire.ts';

type Heard = (error: string | undefined, said: string) => void;

export class AgentFiles implements Files {
  readonly #say: (...message: unknown[]) => void;
  readonly #asked = new Map<number, { readonly message: readonly unknown[]; readonly heard: Heard }>();
  #last = 0;

  /** @param say to the agent; where none is there, it is said again once one is. */
  constructor(say: (...message: unknown[]) => void) {
    this.#say = say;
  }

  /** An agent has come. */
  again(): void {
    for (const { message } of this.#asked.values()) this.#say(...message);
  }

  /** `fetched` or `uploaded`. */
  answered([, id, error, said]: readonly unknown[]): void {
    if (!isToken(id)) return;
    const asked = this.#asked.get(id);
    // Its asker has gone.
    if (!asked) {
      this.#say('release', id);
      return;
    }
    this.#asked.delete(id);
    asked.heard(typeof error === 'string' ? error : undefined, typeof said === 'string' ? said : '');
  }

  fetch({ url, sha256 }: Parameters<Files['fetch']>[0], done: Parameters<Files['fetch']>[1]): () => void {
    const id = ++this.#last;
    return this.#ask(id, ['fetch', id, url, sha256 ?? null], (error, file) => {
      if (error !== undefined) done(error);
      else done(undefined, { file, release: () => this.#say('release', id) });
    });
  }

  upload(file: string, done: Parameters<Files['upload']>[1]): () => void {
    let over = false;
    let cancel = () => {
      over = true;
      reading.destroy();
    };
    let bytes = 0;
    const hash = createHash('sha256');
    const reading = createReadStream(file)
      .on('data', chunk => {
        bytes += chunk.length;
        hash.update(chunk);
      })
      .once('error', error => {
        if (!over) done(`it cannot be read: ${error.message}`);
      })
      .once('end', () => {
        if (over) return;
        const sha256 = hash.digest('hex');
        const id = ++this.#last;
        cancel = this.#ask(id, ['upload', id, file, sha256, bytes], error => done(error, sha256));
      });
    return () => cancel();
  }

  #ask(id: number, message: readonly unknown[], heard: Heard): () => void {
    this.#asked.set(id, { message, heard });
    this.#say(...message);
    return () => {
      if (this.#asked.delete(id)) this.#say('forgo', id);
    };
  }
}
