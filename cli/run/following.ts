/** Follows a job to its end: prints results as their turn comes, and turns how it ended into an exit code. */
import { Follow, hasEnded } from '../../client/follow.ts';
import type { Session } from '../../client/session.ts';
import { printable } from '../../shared/names.ts';
import type { JobIs } from '../../shared/schemas/job.ts';
import type { CommittedResult } from '../../shared/schemas/job-out.ts';
import { InOrder } from './in-order.ts';
import { Interrupt } from './interrupt.ts';
import { taskBar } from './progress.ts';
import { failureLine, jsonLine, printed, valueText } from './text.ts';

export interface View {
  readonly order: boolean;
  readonly json: boolean;
  readonly bar: boolean;
  /** What stands before every line of a task's output. */
  readonly tag?: (index: number) => string;
  readonly args?: (index: number) => Readonly<Record<string, string>>;
  /** Number of a task for people, from 1; default: its index and 1. */
  readonly seq?: (index: number) => number;
  /** Who only looks on leaves the job alone, whatever ends the looking. */
  readonly leaving?: boolean;
  /** Ends with the results that there are. */
  readonly upToNow?: boolean;
  /** Only the reduction's result is printed. */
  readonly reducing?: boolean;
  /** Every result as it is committed, before it is printed; those it says no to are not printed. */
  readonly seen?: (results: readonly CommittedResult[]) => readonly CommittedResult[];
  /** Before a result is printed: brings what it left. */
  readonly fetch?: (one: CommittedResult) => Promise<void>;
  /** Writes an artifact to standard output. */
  readonly whole?: (sha256: string) => Promise<void>;
}

/** A job of which nothing was started for so long is asked why. */
const idleMs = 5000;
const mostNodes = 5;
/** Said one by one; the others are only counted. */
const mostFailures = 10;
const mostExitCode = 101;

export class Following {
  readonly #session: Session;
  readonly #id: string;
  readonly #view: View;
  readonly #follow: Follow;
  readonly #order: InOrder | undefined;
  readonly #bar;
  readonly #interrupt: Interrupt;
  /** Tasks that failed, and did not succeed since. */
  readonly #failed = new Set<number>();
  #said = 0;
  #reduced: CommittedResult | undefined;
  #out = '';
  #err = '';
  /** Batches that there were when the job was first heard of. */
  readonly #first: Promise<number>;
  #heardFirst: (outs: number) => void = () => {};

  /** Listens from here on: made before the job is sent, nothing of it is missed. */
  constructor(session: Session, id: string, view: View) {
    this.#session = session;
    this.#id = id;
    this.#view = view;
    this.#bar = taskBar(view.bar);
    this.#first = new Promise(resolve => {
      this.#heardFirst = resolve;
    });
    this.#follow = new Follow(session, id, { onIs: is => this.#heard(is) });
    this.#order = view.order ? new InOrder() : undefined;
    this.#interrupt = new Interrupt(this.#bar, view.leaving === true);
  }

  /** @returns exit code: 0, the number of failed tasks to 100, 101 for more, 130 where it was canceled. */
  async end(): Promise<number> {
    const idle = setTimeout(() => void this.#explain(), idleMs).unref();
    try {
      const left = await this.#results();
      if (left !== undefined) return left;
      for (const one of this.#order?.rest() ?? []) await this.#print(one);
      if (this.#reduced) this.#printReduced(this.#reduced);
      await this.#flush();
      return this.#verdict(this.#follow.is);
    } finally {
      clearTimeout(idle);
      this.close();
    }
  }

  close(): void {
    this.#bar.clear();
    this.#interrupt.close();
    this.#follow.close();
  }

  /** Says why nothing happens, where no node would take a task: else people wait for ever without knowing. */
  async #explain(): Promise<void> {
    const is = this.#follow.is;
    if (!is || is.paused || is.started_ms !== undefined || hasEnded(is)) return;
    const answer = await this.#session.order(this.#id, 'explain').catch(() => undefined);
    const nodes = answer?.explain;
    if (!nodes || nodes.some(({ why }) => why === undefined)) return;
    this.#bar.clear();
    if (is.waiting !== undefined) {
      console.error(`hearth: the job waits ${printable(is.waiting, 80)}: "hearth run --explain" says of each node why`);
      return;
    }
    const reasons = nodes.slice(0, mostNodes).map(({ node, why }) => `${node}: ${printable(why ?? '', 200)}`);
    const all = nodes.length === 0 ? 'there is none' : reasons.join('; ');
    console.error(`hearth: the job waits for a node that may run it: ${all}${nodes.length > mostNodes ? '; …' : ''}`);
  }

  #heard(is: JobIs): void {
    this.#heardFirst(is.outs);
    this.#bar.is(is);
  }

  /** @returns undefined at the job's end; else the exit code of who did not wait for it. */
  async #results(): Promise<number | undefined> {
    const decided = this.#interrupt.decided.then(() => 'decided' as const);
    const upTo = this.#view.upToNow ? await this.#first : Number.POSITIVE_INFINITY;
    if (upTo === 0) return undefined;
    let canceled = false;
    for (let next = this.#follow.next(); ; ) {
      const batch = await (canceled ? next : Promise.race([next, decided]));
      if (batch === 'decided') {
        if (this.#interrupt.decision?.what === 'leave') return this.#leave();
        canceled = true;
        // It may have ended meanwhile: that shows by itself.
        this.#session.order(this.#id, 'cancel').catch(() => {});
        continue;
      }
      if (!batch) return undefined;
      await this.#interrupt.quiet;
      await this.#batch(batch.results, batch.reduced === true);
      if (batch.seq + 1 >= upTo) return undefined;
      next = this.#follow.next();
    }
  }

  async #batch(results: readonly CommittedResult[], reduced: boolean): Promise<void> {
    if (reduced) {
      for (const one of results) if (one.index >= (this.#reduced?.index ?? 0)) this.#reduced = one;
      return;
    }
    for (const { index, state } of results) {
      if (state === 'failed') this.#failed.add(index);
      else if (this.#failed.size > 0) this.#failed.delete(index);
    }
    const shown = this.#view.seen?.(results) ?? results;
    for (const one of this.#order?.take(shown) ?? shown) await this.#print(one);
    await this.#flush();
  }

  async #print(one: CommittedResult): Promise<void> {
    const { json, tag, args, reducing, fetch, whole, seq = (index: number) => index + 1 } = this.#view;
    if (fetch && one.end?.files) await fetch(one);
    if (json) {
      this.#out += jsonLine(one, seq(one.index), args?.(one.index));
      return;
    }
    const text = printed(one, tag?.(one.index));
    if (text.whole !== undefined && whole && !tag && !reducing) {
      await this.#flush();
      await whole(text.whole);
    } else if (!reducing) this.#out += text.out;
    this.#err += text.err;
    if (one.state === 'failed' && this.#said++ < mostFailures)
      this.#err += `hearth: ${failureLine(one, seq(one.index))}\n`;
    if (this.#out.length + this.#err.length > 1_000_000) await this.#flush();
  }

  #printReduced(one: CommittedResult): void {
    if (this.#view.json) this.#out += `${JSON.stringify({ reduced: true, ...one, ...one.end, end: undefined })}\n`;
    else if (one.state === 'failed') this.#err += `hearth: the reduction: ${failureLine(one, one.index + 1)}\n`;
    else this.#out += one.end?.out ?? valueText(one.end?.value);
  }

  /** Whoever reads slowly is waited for; what comes meanwhile is asked for again. */
  async #flush(): Promise<void> {
    const [out, err] = [this.#out, this.#err];
    if (out === '' && err === '') return;
    this.#out = '';
    this.#err = '';
    this.#bar.clear();
    await Promise.race([Promise.all([write(process.stdout, out), write(process.stderr, err)]), this.#gone()]);
    if (this.#follow.is) this.#bar.is(this.#follow.is);
  }

  /** Where nobody reads the output any more, no write ever ends. */
  async #gone(): Promise<void> {
    await this.#interrupt.decided;
  }

  #leave(): number {
    this.#bar.clear();
    console.error(`hearth: the job goes on: hearth job watch ${this.#id}`);
    return this.#interrupt.decision?.code ?? 0;
  }

  #verdict(is: JobIs | undefined): number {
    const failed = Math.max(this.#failed.size, is?.failed ?? 0);
    const decision = this.#interrupt.decision;
    const code = Math.min(failed, mostExitCode);
    if (!is || !hasEnded(is)) return decision?.code ?? code;
    const say = (text: string) => console.error(`hearth: ${text}`);
    const why = is.err === '' ? '' : `: ${is.err}`;
    if (is.state === 'canceled') {
      const undone = is.tasks - is.succeeded - is.failed;
      say(`${this.#id} was canceled${undone > 0 ? `; ${undone} of ${is.tasks} tasks were not done` : ''}${why}.`);
      return decision?.code ?? 130;
    }
    if (is.state === 'succeeded') return code;
    if (failed > mostFailures || failed === 0 || is.state !== 'failed') {
      say(
        `${this.#id} ${is.state === 'failed' ? `failed: ${failed} of ${is.tasks} tasks did` : `was ${is.state}`}${why}`,
      );
    }
    return Math.max(code, 1);
  }
}

function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (text === '') return Promise.resolve();
  return new Promise(resolve => {
    stream.write(text, () => resolve());
  });
}
