/** The {@link Caretaker} of a machine in memory: what a check says is set by hand, per service. */
import type { Clock } from '../../../shared/clock.ts';
import type { Caretaker } from './caretaker.ts';

export interface SimulatedCaretaker extends Caretaker {
  /** Service -> what is wrong with it; absent: it is well. */
  readonly wrong: Map<string, string>;
  /** What was done, such as `check a`, `reload a HUP`. */
  readonly done: string[];
}

/** @param answerMs how long each check and reload takes. */
export function createSimulatedCaretaker(clock: Clock, answerMs = 10): SimulatedCaretaker {
  const wrong = new Map<string, string>();
  const did: string[] = [];
  let closed = false;
  const keep = (what: string) => {
    did.push(what);
    if (did.length > 1000) did.shift();
  };
  const answer = (service: string, done: (error?: string) => void) =>
    clock.after(answerMs, () => {
      if (!closed) done(wrong.get(service));
    });
  return {
    wrong,
    done: did,
    check({ service }, _health, done) {
      keep(`check ${service}`);
      return answer(service, done);
    },
    reload({ service }, how, done) {
      keep(`reload ${service} ${String(how)}`);
      answer(service, done);
    },
    remember({ service, marks }) {
      keep(`remember ${service} ${JSON.stringify(marks)}`);
    },
    close() {
      closed = true;
    },
  };
}
