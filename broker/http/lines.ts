/** What stays open for long, streams and WebSockets: it ends when who opened it may not stay, and is looked at now and then. */
import type { Known } from './doorkeeper.ts';
import type { WebTrust } from './seams.ts';

interface Line {
  readonly who: Known;
  end(): void;
}

/** Between two looks; a token or certificate that runs out ends its lines this much later at most. */
const lookMs = 30_000;

export class Lines {
  readonly #lines = new Set<Line>();
  #timer: NodeJS.Timeout | undefined;

  constructor(trust: WebTrust | undefined) {
    trust?.sessions.onEnded(key => this.#end(({ who }) => who.session?.key === key));
    trust?.authenticator.onRevoked(({ kind, name }) =>
      this.#end(
        ({ who: { principal } }) => principal.name === name && (principal.role === 'node') === (kind === 'node'),
      ),
    );
  }

  get size(): number {
    return this.#lines.size;
  }

  /** @returns to be called when it has ended by itself. */
  add(who: Known, end: () => void): () => void {
    const line: Line = { who, end };
    this.#lines.add(line);
    this.#timer ??= setInterval(() => void this.look(), lookMs).unref();
    return () => this.#drop(line);
  }

  /** Ends the lines of those who would not be let in now. */
  async look(): Promise<void> {
    for (const line of [...this.#lines]) {
      const stays = await line.who.still().catch(() => false);
      if (!stays) this.#end(other => other === line);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#lines.clear();
  }

  #end(meant: (line: Line) => boolean): void {
    for (const line of [...this.#lines]) {
      if (!meant(line)) continue;
      this.#drop(line);
      line.end();
    }
  }

  #drop(line: Line): void {
    this.#lines.delete(line);
    if (this.#lines.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
