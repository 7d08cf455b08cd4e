/**
 * What one kind of item, or several that follow each other, does about a document: look, plan, run; and again when the
 * machine changed. A newer document takes over at once: steps not begun are never begun.
 */
import type { Executors, Step } from './plan.ts';
import { type PlanRun, runPlan } from './run-plan.ts';

/** Looks at the machine and answers with the steps to the document, once. */
export type Look<Document> = (document: Document, done: (steps: readonly Step[]) => void) => void;

export class Lane<Document extends { readonly rev: number }> {
  readonly #look: Look<Document>;
  readonly #executors: Partial<Executors>;
  readonly #attempted: () => void;
  #document: Document | undefined;
  #run: PlanRun | undefined;
  /** Rises with every look: what an earlier one says late is not heard. */
  #turn = 0;
  #busy = false;
  #again = false;
  #rev = 0;

  /** @param attempted every step was attempted: `rev` may be another one. */
  constructor(look: Look<Document>, executors: Partial<Executors>, attempted: () => void) {
    this.#look = look;
    this.#executors = executors;
    this.#attempted = attempted;
  }

  /** The last document whose every step was attempted. */
  get rev(): number {
    return this.#rev;
  }

  apply(document: Document): void {
    this.#document = document;
    this.#begin(document);
  }

  /** The machine changed: what the document says is looked at again, after what is under way. */
  again(): void {
    if (this.#busy) this.#again = true;
    else if (this.#document) this.#begin(this.#document);
  }

  abandon(): void {
    this.#turn++;
    this.#run?.abandon();
    this.#busy = false;
    this.#again = false;
  }

  #begin(document: Document): void {
    this.abandon();
    const turn = this.#turn;
    this.#busy = true;
    this.#look(document, steps => {
      if (turn !== this.#turn) return;
      this.#run = runPlan(steps, this.#executors, () => {
        this.#busy = false;
        this.#rev = document.rev;
        this.#attempted();
        if (this.#again && turn === this.#turn) this.#begin(document);
      });
    });
  }
}
