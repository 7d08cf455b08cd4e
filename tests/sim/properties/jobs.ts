/**
 * Jobs: what was called accepted is there for ever and comes to its end; what is on `out` is on the disk; no task is
 * committed twice; and in the end every task was committed once.
 */
import { documentKey, outKey } from '../../../broker/jobs/core/records.ts';
import type { Message } from '../broker.ts';
import type { Senders } from '../senders.ts';
import type { Property, Sight } from './eyes.ts';

interface Out {
  readonly seq: number;
  readonly reduced?: boolean;
  readonly results: readonly { readonly index: number; readonly state: string }[];
}

const over = new Set(['succeeded', 'failed', 'rejected', 'timed-out', 'canceled']);

export class Jobs implements Property {
  readonly name = 'jobs';
  /** Results seen, for who wants to know whether anything happened. */
  committed = 0;
  readonly #sight: Sight;
  readonly #senders: Senders;
  /** By job: the document that was called accepted. */
  readonly #accepted = new Map<string, string>();
  readonly #texts = new Map<string, string>();
  readonly #succeeded = new Map<string, number>();

  constructor(sight: Sight, senders: Senders) {
    this.#sight = sight;
    this.#senders = senders;
  }

  published(message: Message, who: string | undefined): void {
    if (!message.topic.startsWith('hearth/job/') || !this.#sight.byAuthority(who)) return;
    const [, , job = '', part] = message.topic.split('/');
    if (part === 'out') this.#out(job, message.text);
    else if (part === 'result') this.#answered(job, message.text);
  }

  #answered(job: string, text: string): void {
    const { ok, part, tx } = JSON.parse(text) as { ok: boolean; part: string; tx?: string };
    const sent = this.#senders.sent.find(each => each.tx === tx);
    if (part !== 'set' || !ok || !sent) return;
    const { world, headquarters } = this.#sight;
    // Marks aside, the same document is the same job.
    const said = sent.document.replace(/,"tx":"s\d+"/, '');
    const before = this.#accepted.get(job);
    if (before !== undefined && before !== said) world.violate('one-job', `${job} was accepted as two documents`);
    this.#accepted.set(job, said);
    if (!headquarters.promised.has(documentKey(job))) {
      world.violate('job-synced-first', `${job} is called accepted and is not on the disk`);
    }
  }

  #out(job: string, text: string): void {
    const { world, headquarters } = this.#sight;
    const { seq, reduced, results } = JSON.parse(text) as Out;
    const place = `${job}/${seq}`;
    const known = this.#texts.get(place);
    if (known === text) return;
    if (known !== undefined) world.violate('out-changed', `batch ${seq} of ${job} is another one than before`);
    this.#texts.set(place, text);
    if (headquarters.promised.get(outKey(job, seq)) !== text) {
      world.violate('out-synced-first', `batch ${seq} of ${job} is out, and is not so on the disk`);
    }
    if (reduced) return;
    for (const { index, state } of results) {
      this.committed++;
      if (state !== 'succeeded') continue;
      const task = `${job} ${index}`;
      const at = this.#succeeded.get(task);
      if (at !== undefined) world.violate('committed-twice', `task ${index} of ${job} is in batch ${at} and in ${seq}`);
      this.#succeeded.set(task, seq);
    }
  }

  unsettled(): readonly string[] {
    const problems: string[] = [];
    const { broker, headquarters } = this.#sight;
    for (const [job, document] of this.#accepted) {
      const sent = this.#senders.sent.find(
        each => each.job === job && each.document.replace(/,"tx":"s\d+"/, '') === document,
      );
      const retained = broker?.retained.get(`hearth/job/${job}/is`);
      if (!retained || !sent) {
        problems.push(`${job} was accepted and is not there`);
        continue;
      }
      const is = JSON.parse(retained.text) as {
        state: string;
        tasks: number;
        succeeded: number;
        failed: number;
        outs: number;
      };
      if (!over.has(is.state)) problems.push(`${job} has not ended: ${retained.text}`);
      else {
        const good = new Set<number>();
        for (let seq = 0; seq < is.outs; seq++) {
          const text = headquarters.promised.get(outKey(job, seq));
          if (text === undefined) problems.push(`batch ${seq} of ${job} is not on the disk`);
          const out = text === undefined ? undefined : (JSON.parse(text) as Out);
          if (out && !out.reduced)
            for (const { index, state } of out.results) if (state === 'succeeded') good.add(index);
        }
        if (good.size !== is.succeeded)
          problems.push(`${job} says ${is.succeeded} succeeded, the disk has ${good.size}`);
        if (is.state === 'succeeded' && good.size !== sent.tasks)
          problems.push(`${job} succeeded with ${good.size} of ${sent.tasks} tasks`);
        // Nodes that were lost again and again may be a task's end.
        if (is.state === 'canceled' && !this.#senders.ordered.has(job))
          problems.push(`${job} is canceled, which nobody asked for`);
        if (is.state === 'timed-out') problems.push(`${job} timed out, and has no deadline`);
        if (is.state === 'rejected' && !sent.mayFail) problems.push(`${job} is rejected: ${retained.text}`);
      }
    }
    return problems;
  }
}
