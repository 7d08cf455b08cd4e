/** Orders as they come on one connection: judged, obeyed, and answered on `done`. */
import type { Log } from '../shared/log.ts';
import type { Reporter } from './reporter.ts';
import { type Obedient, obey } from './session/obey.ts';
import { type Allegiance, judgeCmd, type OrderSession } from './session/orders.ts';

export interface OrderDeskParts {
  readonly reporter: Reporter;
  readonly node: Obedient;
  readonly log: Log;
  allegiance(): Allegiance;
  session(): Omit<OrderSession, 'lastSeq'>;
}

export class OrderDesk {
  readonly #parts: OrderDeskParts;
  /** Of the last order obeyed on this connection. */
  #lastSeq = -1;

  constructor(parts: OrderDeskParts) {
    this.#parts = parts;
  }

  /** Another connection begins. */
  begin(): void {
    this.#lastSeq = -1;
  }

  take(payload: Uint8Array): void {
    const { allegiance, session, log, reporter, node } = this.#parts;
    const verdict = judgeCmd(allegiance(), { ...session(), lastSeq: this.#lastSeq }, payload);
    if (verdict.kind === 'ignored') {
      log.debug({}, verdict.why);
    } else if (verdict.kind === 'answer') {
      this.#lastSeq = verdict.seq;
      reporter.done(verdict.id, verdict.error);
    } else {
      const { id, seq } = verdict.cmd;
      this.#lastSeq = seq;
      obey(verdict.cmd, node, reporter, error => reporter.done(id, error));
    }
  }
}
