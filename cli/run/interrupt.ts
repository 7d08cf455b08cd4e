/** What Ctrl-C and other signals mean while a job runs elsewhere: it is canceled, or left running. */
import { constants } from 'node:os';

export interface Decision {
  readonly what: 'cancel' | 'leave';
  /** Exit code of the command. */
  readonly code: number;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const ctrlC = '\x03';
/** As a program has that writes where nobody reads. */
const nobodyReads = 128 + constants.signals.SIGPIPE;

export class Interrupt {
  /** Resolves once. */
  readonly decided: Promise<Decision>;
  #decide: (decision: Decision) => void = () => {};
  #decision: Decision | undefined;
  #asking: Promise<void> = Promise.resolve();
  #answer: ((key: string) => void) | undefined;
  readonly #pause: () => void;
  readonly #resume: () => void;
  readonly #leaving: boolean;

  /** @param leaving who interrupts only stops looking on. @param pause nothing is drawn while there is a question on the terminal. */
  constructor({ pause, resume }: { pause(): void; resume(): void }, leaving: boolean) {
    this.#leaving = leaving;
    this.#pause = pause;
    this.#resume = resume;
    this.decided = new Promise(resolve => {
      this.#decide = decision => {
        this.#decision ??= decision;
        resolve(decision);
      };
    });
    for (const signal of signals) process.on(signal, this.#heard);
    process.stdout.removeAllListeners('error');
    process.stdout.on('error', () => this.#decide({ what: leaving ? 'leave' : 'cancel', code: nobodyReads }));
  }

  get decision(): Decision | undefined {
    return this.#decision;
  }

  /** Resolves when there is no question on the terminal. */
  get quiet(): Promise<void> {
    return this.#asking;
  }

  close(): void {
    for (const signal of signals) process.off(signal, this.#heard);
    this.#answer?.('l');
  }

  readonly #heard = (signal: NodeJS.Signals): void => {
    const code = 128 + constants.signals[signal];
    // Asked to be canceled, and asked again: whoever that is does not want to wait.
    if (this.#decision) process.exit(code);
    // A terminal that goes away takes nobody's work with it.
    if (signal === 'SIGHUP' || this.#leaving) this.#decide({ what: 'leave', code });
    else if (signal === 'SIGTERM' || !process.stdin.isTTY || !process.stderr.isTTY)
      this.#decide({ what: 'cancel', code });
    else if (this.#answer) this.#answer(ctrlC);
    else this.#asking = this.#ask(code);
  };

  async #ask(code: number): Promise<void> {
    const { stdin, stderr } = process;
    this.#pause();
    stderr.write('Cancel the job, or leave it running? [c/l] ');
    stdin.setRawMode(true);
    stdin.resume();
    const said = await new Promise<string>(resolve => {
      const hear = (bytes: Buffer) => this.#answer?.(bytes.toString());
      this.#answer = keys => {
        const key = [...keys.toLowerCase()].find(each => each === 'c' || each === 'l' || each === ctrlC);
        if (key === undefined) return;
        stdin.off('data', hear);
        this.#answer = undefined;
        resolve(key === 'l' ? 'l' : 'c');
      };
      stdin.on('data', hear);
    });
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write(`${said}\n`);
    this.#resume();
    this.#decide(said === 'l' ? { what: 'leave', code: 0 } : { what: 'cancel', code });
  }
}
