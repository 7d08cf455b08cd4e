/**
 * Authority: no `want` before its journal entry is synced, never two documents under one revision, a node never goes
 * back and obeys nobody but the supervisor of its cluster, and only the supervisor writes what is its own.
 */

import { whyNotWrite } from '../../../broker/access/table.ts';
import type { Document } from '../../../node-agent/reconcile/reconciler.ts';
import { accessFor, type Message, ruleFor } from '../broker.ts';
import type { Machine } from '../machine.ts';
import type { Property, Sight } from './eyes.ts';

interface WantText {
  readonly gen: number;
  readonly rev: number;
  readonly services: Document['services'];
}

export class Authority implements Property {
  readonly name = 'authority';
  #sight: Sight;
  /** What the supervisor has said, by `node rev`. */
  #said = new Map<string, string>();
  /** The revision each machine obeys. */
  #obeyed = new Map<Machine, number>();

  constructor(sight: Sight) {
    this.#sight = sight;
  }

  published(message: Message, who: string | undefined): void {
    const { world, headquarters } = this.#sight;
    const byAuthority = this.#sight.byAuthority(who);
    if (!byAuthority && who?.startsWith(`${world.base}-`)) {
      const reason = whyNotWrite(ruleFor(message.topic, world.base), accessFor(who, world.base));
      if (reason !== undefined) world.violate('direction', `${who} wrote ${message.topic}: ${reason}`);
    }
    if (!message.topic.endsWith('/want') || message.text === '') return;
    // The true one may speak to its own broker while another supervisor has the machine's address.
    const isOwn = who === undefined && message.text.includes(`"key":"${headquarters.options.signer.key}"`);
    if (!byAuthority && !isOwn) return;
    const node = message.topic.split('/')[2] ?? '';
    const { rev, services } = JSON.parse(message.text) as WantText;
    if (rev > headquarters.syncedRev) {
      world.violate('synced-first', `the want of ${node} has rev ${rev}, but only ${headquarters.syncedRev} is synced`);
    }
    const text = JSON.stringify(services);
    const before = this.#said.get(`${node} ${rev}`);
    if (before !== undefined && before !== text) {
      world.violate('one-document', `rev ${rev} of ${node} was ${before}, and now is ${text}`);
    }
    this.#said.set(`${node} ${rev}`, text);
  }

  refused(message: Message, who: string): void {
    const { world } = this.#sight;
    if (who.startsWith(`${world.base}-`)) world.violate('direction', `${who} tried to write ${message.topic}`);
  }

  applying(machine: Machine, document: Document, kept: boolean): void {
    const { world } = this.#sight;
    const said = this.#said.get(`${machine.node} ${document.rev}`);
    if (said !== JSON.stringify(document.services)) {
      world.violate('foreign', `${machine.name} obeys rev ${document.rev}, which its supervisor never said so`);
    }
    const before = this.#obeyed.get(machine) ?? -1;
    // A full disk keeps an older document than was obeyed: the start goes by the disk, and the broker has the newer one.
    if (!kept && document.rev <= before) {
      world.violate('rev-forward', `${machine.name} goes from rev ${before} to ${document.rev}`);
    }
    if (kept && document.rev < before && !machine.disk.failed) {
      world.violate('rev-forward', `${machine.name} starts again at rev ${document.rev}, it was at ${before}`);
    }
    this.#obeyed.set(machine, document.rev);
  }

  reset(machine: Machine): void {
    this.#obeyed.delete(machine);
  }
}
