/** What the executor asks of its agent: files to fetch, and files to put into the artifact store. */
import type { Fetched, Fetching } from '../../artifacts/fetching.ts';
import type { Upload } from '../../artifacts/uploader.ts';

export interface FileParts {
  /** Absent: what needs a file is told that there are none. */
  readonly fetching?: Fetching;
  readonly upload?: Upload;
}

export class FileRequests {
  readonly #parts: FileParts;
  readonly #say: (...message: unknown[]) => void;
  readonly #running = new Map<number, { cancel(): void }>();
  readonly #copies = new Map<number, Fetched>();

  constructor(parts: FileParts, say: (...message: unknown[]) => void) {
    this.#parts = parts;
    this.#say = say;
  }

  hear(kind: string, [id, first, second, third]: readonly unknown[]): void {
    if (!Number.isSafeInteger(id)) return;
    const number = id as number;
    if (kind === 'fetch') this.#fetch(number, String(first), typeof second === 'string' ? second : undefined);
    else if (kind === 'upload') this.#upload(number, String(first), String(second), Number(third));
    else if (kind === 'forgo') {
      this.#running.get(number)?.cancel();
      this.#running.delete(number);
    } else if (kind === 'release') {
      this.#copies.get(number)?.release();
      this.#copies.delete(number);
    }
  }

  /** The executor is gone. */
  forget(): void {
    for (const one of this.#running.values()) one.cancel();
    for (const copy of this.#copies.values()) copy.release();
    this.#running.clear();
    this.#copies.clear();
  }

  #fetch(id: number, url: string, sha256: string | undefined): void {
    const { fetching } = this.#parts;
    if (!fetching) {
      this.#say('fetched', id, 'this agent fetches no files');
      return;
    }
    const running = fetching.fetch(
      { url, ...(sha256 === undefined ? {} : { sha256 }) },
      {
        done: (error, copy) => {
          this.#running.delete(id);
          if (copy) this.#copies.set(id, copy);
          this.#say('fetched', id, copy ? null : (error?.sentence ?? 'it cannot be had'), copy?.file ?? null);
        },
      },
    );
    this.#running.set(id, running);
  }

  #upload(id: number, file: string, sha256: string, bytes: number): void {
    const { upload } = this.#parts;
    if (!upload) {
      this.#say('uploaded', id, 'this agent keeps no files');
      return;
    }
    const running = upload(file, { sha256, bytes }, error => {
      this.#running.delete(id);
      this.#say('uploaded', id, error ?? null);
    });
    this.#running.set(id, running);
  }

  close(): void {
    this.forget();
  }
}
