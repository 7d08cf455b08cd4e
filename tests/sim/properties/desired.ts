/** Desired state: what `result` called accepted is in the journal for ever, and is reached on the node in the end. */
import type { NodeEntry } from '../../../broker/desired/compile.ts';
import type { Message } from '../broker.ts';
import { runOf } from '../watched.ts';
import type { Property, Sight } from './eyes.ts';

/** One thing that a person asked for. */
export interface Asked {
  readonly node: string;
  readonly service: string;
  /** The command line, never used twice; undefined to clear. */
  readonly run: string | undefined;
  /** The mark it was sent with, if any. */
  readonly tx?: string;
  /** How often it was sent, and answered. */
  sent: number;
  answered: number;
}

interface ResultText {
  readonly ok?: boolean;
  readonly part?: string;
  readonly key?: string;
  readonly value?: string;
  readonly error?: string;
  readonly rev?: number;
  readonly tx?: string;
}

export class Desired implements Property {
  readonly name = 'reached';
  readonly asked: Asked[] = [];
  /** What was accepted last, by `node/service`: at which revision, and the command line or nothing. */
  readonly accepted = new Map<string, { readonly rev: number; readonly run: string | undefined }>();
  answers = 0;
  /** Which life of the supervisor may have heard a set of a `node/service` that stays on the broker for the next one. */
  readonly #retained = new Map<string, number>();
  #sight: Sight;

  constructor(sight: Sight) {
    this.#sight = sight;
  }

  published(message: Message, who: string | undefined): void {
    const levels = message.topic.split('/');
    const { headquarters, world } = this.#sight;
    if (levels[3] === 'set' && message.retain && message.text !== '' && headquarters.running)
      this.#retained.set(`${levels[2]}/${levels[5]}`, headquarters.lives);
    if (levels[3] !== 'result' || !this.#sight.byAuthority(who)) return;
    this.answers++;
    const result = JSON.parse(message.text) as ResultText;
    if (result.part !== 'set' || typeof result.ok !== 'boolean') return;
    const node = levels[2] ?? '';
    const asked = this.#find(node, result);
    if (!asked) return;
    // The batch may have reached the disk all the same: after a crash it is there, or it is not.
    if (result.error?.startsWith('not accepted, the journal')) return;
    const where = `${node}/${asked.service}`;
    // Of the copy that lay on the broker, whatever became of the message itself.
    const heardBy = this.#retained.get(where) ?? headquarters.lives;
    if (result.error?.startsWith('retained:') && heardBy !== headquarters.lives) return;
    asked.answered++;
    if (!result.ok || result.rev === undefined) return;
    if (result.rev > headquarters.syncedRev) {
      world.violate(
        'synced-first',
        `rev ${result.rev} is called accepted, but only ${headquarters.syncedRev} is synced`,
      );
    }
    if (result.rev >= (this.accepted.get(where)?.rev ?? 0))
      this.accepted.set(where, { rev: result.rev, run: asked.run });
  }

  #find(node: string, { key, value, tx }: ResultText): Asked | undefined {
    if (tx !== undefined) return this.asked.find(asked => asked.tx === tx);
    const service = key?.split('.')[1];
    const run = value === undefined || value === '' ? undefined : value;
    const same = this.asked.filter(
      asked => asked.tx === undefined && asked.node === node && asked.service === service && asked.run === run,
    );
    return same.find(asked => asked.answered < asked.sent) ?? same[0];
  }

  /** The accepted document of a node, as the supervisor's disk has it. */
  #document(node: string): NodeEntry | undefined {
    const text = this.#sight.headquarters.promised.get(`doc/node/${node}`);
    return text === undefined ? undefined : (JSON.parse(text) as NodeEntry);
  }

  /** Checked once, when all is over: nothing accepted is lost, nothing refused took effect. */
  kept(): readonly string[] {
    const problems: string[] = [];
    const places = new Map<string, Asked[]>();
    for (const asked of this.asked) {
      const where = `${asked.node}/${asked.service}`;
      places.set(where, [...(places.get(where) ?? []), asked]);
    }
    for (const [where, all] of places) {
      const [node = '', service = ''] = where.split('/');
      const spec = this.#document(node)?.document.services?.[service];
      const run = spec && runOf(spec);
      const last = this.accepted.get(where);
      // An answer may have been lost with the supervisor: then both are right.
      const unknown = all.filter(asked => asked.answered < asked.sent).map(asked => asked.run);
      if (run === last?.run || unknown.includes(run)) continue;
      problems.push(`${where}: accepted was ${last?.run ?? 'nothing'} (rev ${last?.rev}), the journal has ${run}`);
    }
    return problems;
  }

  unsettled(): readonly string[] {
    const problems: string[] = [];
    const { machines, broker } = this.#sight;
    for (const machine of machines) {
      const { node } = machine;
      if (node === undefined || machines.some(other => other !== machine && other.node === node)) continue;
      if (machine.state === 'refused' || machine.state === 'left') {
        problems.push(`${machine.name} has ended: ${machine.state}`);
        continue;
      }
      const document = this.#document(node);
      if (!document) {
        problems.push(`${node} is not in the journal`);
        continue;
      }
      const running = new Map<string, string>();
      for (const process of machine.simulated.processes.values()) {
        if (process.running) running.set(process.service, runOf(process.spec));
      }
      for (const [service, spec] of Object.entries(document.document.services ?? {})) {
        const found = running.get(service);
        if (found !== runOf(spec))
          problems.push(`${node} runs ${found ?? 'nothing'} as ${service}, not ${runOf(spec)}`);
        running.delete(service);
      }
      for (const service of running.keys()) problems.push(`${node} still runs ${service}`);
      const is = broker?.retained.get(`hearth/node/${node}/is`);
      const { rev, err } = is ? (JSON.parse(is.text) as { rev: number; err: string }) : { rev: -1, err: 'no is' };
      if (rev !== document.rev || err !== '') problems.push(`${node} is at rev ${rev} of ${document.rev}: ${err}`);
      for (const part of ['own', 'want']) {
        const retained = broker?.retained.get(`hearth/node/${node}/${part}`);
        const shown = retained ? (JSON.parse(retained.text) as { rev: number; cluster?: string }) : undefined;
        if (shown?.rev !== document.rev) problems.push(`${node}/${part} shows rev ${shown?.rev}, not ${document.rev}`);
        const { cluster } = this.#sight.headquarters.options.signer;
        if (shown?.cluster !== undefined && shown.cluster !== cluster) problems.push(`${node}/${part} is a stranger's`);
      }
    }
    return problems;
  }
}
