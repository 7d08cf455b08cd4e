/**
 * Presence, as the contract promises it: who is gone is `offline` in time, who is there is `online` in time, and who is
 * there all along is never called `offline`.
 */
import { lwtPayload, statusPayload } from '../../../shared/schemas/presence.ts';
import { latestWillMs, type Message } from '../broker.ts';
import type { Machine } from '../machine.ts';
import { mostHeldMs } from '../network.ts';
import { type Property, type Sight, tickMs } from './eyes.ts';

/** Bounds in milliseconds. */
export const presenceBounds = {
  /** A cut cable, embedded broker (contract, Presence 5). */
  goneEmbedded: 5000,
  /** The same over an outside broker, and the most by which it delivers a will late. */
  goneOutside: 11_000 + latestWillMs,
  /** Three periods without a sign. */
  silence: 16_000,
  /** After a supervisor's start, stall or reconnect: its grace, and the time to judge. */
  settle: 11_000 + 15_000,
  /** Half-open socket noticed, the reconnect jitter's cap, a SYN sent again, three round trips. */
  back: 4500 + 10_000 + 3000 + 5000,
  /** A node that was told to back off stays away this long. */
  backoff: 60_000,
  /** How long a node and the supervisor must have been left alone before `offline` is a flap; stalls are no excuse. */
  quiet: 30_000,
  /** A birth has reached the supervisor by then. */
  heard: 300,
} as const;

const key = /^hearth\/node\/([^/]+)\/status$/;

export class Presence implements Property {
  readonly name = 'presence';
  #sight: Sight;
  /** Since when a machine has been gone, or there, without a break. */
  #goneSince = new Map<Machine, number>();
  #thereSince = new Map<Machine, number>();
  /** The last birth of each id: a new epoch of an installation that is known, over which connection of its machine. */
  #births = new Map<string, { at: number; inst: string; epoch: number; fresh: boolean; ups: number | undefined }>();
  /** Since when this life of the supervisor has been ready. */
  #readySince = Number.POSITIVE_INFINITY;
  /** Since when the supervisor has been able to judge. */
  #calmSince = Number.POSITIVE_INFINITY;
  /** When the supervisor's way was last seen cut. */
  #cutUntil = Number.NEGATIVE_INFINITY;
  #backedOff = new Map<string, number>();
  /** When an id was last seen claimed by several. */
  #contested = new Map<string, number>();

  constructor(sight: Sight) {
    this.#sight = sight;
  }

  published(message: Message, who: string | undefined): void {
    const { world } = this.#sight;
    if (message.topic.endsWith('/cmd') && message.text.includes('"verb":"backoff"')) {
      this.#backedOff.set(message.topic.split('/')[2] ?? '', world.timeline.now);
    }
    if (message.topic.endsWith('/lwt')) this.#lwt(message, who);
    const node = key.exec(message.topic)?.[1];
    if (node === undefined || !this.#sight.byAuthority(who)) return;
    if (!statusPayload.safeParse(message.text).success) {
      world.violate('status', `${message.topic} says ${JSON.stringify(message.text)}`);
    }
    if (message.text === 'offline') this.#mayBeFlap(node);
  }

  #mayBeFlap(node: string): void {
    const { world } = this.#sight;
    const [machine, ...others] = this.#claimants(node);
    if (!machine || others.length > 0 || this.#wasTold(node)) return;
    const { now } = world.timeline;
    const there = this.#thereSince.get(machine);
    if (there === undefined || world.weather.loseQos0 > 0) return;
    const touched = Math.max(this.#sight.sharedDisturbedAt(), this.#sight.disturbedAt(machine));
    const quiet = now - Math.max(there, this.#readySince, touched);
    if (quiet > presenceBounds.quiet) {
      world.violate('flap', `${node} is called offline, though nothing happened to it for ${Math.round(quiet)} ms`);
    }
    // Late wills and the ends of older connections say nothing about the one that stands.
    const birth = this.#births.get(node);
    if (!birth?.fresh || birth.ups !== machine.link?.ups || !machine.link?.up) return;
    // What a cut of the supervisor's held back comes in order: a late will before the birth that came after it.
    const caughtUp = this.#cutUntil + mostHeldMs;
    // The will of a copied disk that is gone may name the epoch of the birth.
    const contested = this.#contested.get(node) ?? Number.NEGATIVE_INFINITY;
    const alone = contested + tickMs + latestWillMs + presenceBounds.heard;
    if (
      birth.at > Math.max(touched, this.#calmSince, caughtUp, alone, there) &&
      now - birth.at > presenceBounds.heard
    ) {
      world.violate(
        'flap',
        `${node} is called offline ${Math.round(now - birth.at)} ms after its birth, while connected`,
      );
    }
  }

  #lwt(message: Message, who: string | undefined): void {
    const node = message.topic.split('/')[2] ?? '';
    const lwt = lwtPayload.safeParse(JSON.parse(message.text));
    if (!lwt.success || !lwt.data.online || who !== `${this.#sight.world.base}-${node}`) return;
    const { inst, epoch } = lwt.data;
    const before = this.#births.get(node);
    if (before?.inst === inst && epoch === before.epoch) return;
    const [machine] = this.#claimants(node);
    this.#births.set(node, {
      at: this.#sight.world.timeline.now,
      inst,
      epoch: before?.inst === inst ? Math.max(epoch, before.epoch) : epoch,
      fresh: before?.inst === inst && epoch > before.epoch,
      ups: machine?.link?.ups,
    });
  }

  tick(): void {
    const { world, headquarters, machines, broker } = this.#sight;
    const { now } = world.timeline;
    const cut = headquarters.path.cutUp || headquarters.path.cutDown;
    if (cut) this.#cutUntil = now;
    const calm =
      headquarters.ready &&
      !headquarters.process?.stalled &&
      broker !== undefined &&
      // Three loads lost in a row are silence.
      world.weather.loseQos0 === 0 &&
      (world.kind === 'embedded' ||
        (headquarters.bus !== undefined && 'up' in headquarters.bus && headquarters.bus.up)) &&
      !cut;
    if (!headquarters.ready) this.#readySince = Number.POSITIVE_INFINITY;
    else if (this.#readySince === Number.POSITIVE_INFINITY) this.#readySince = now;
    if (!calm) this.#calmSince = Number.POSITIVE_INFINITY;
    else if (this.#calmSince === Number.POSITIVE_INFINITY) this.#calmSince = now;
    this.#calmSince = Math.max(this.#calmSince, this.#sight.sharedDisturbedAt());
    for (const machine of machines) {
      const { path } = machine;
      const there = machine.running && !machine.process?.stalled && !path.cutUp && !path.cutDown;
      const gone = !machine.running || machine.process?.stalled === true || path.cutUp;
      mark(this.#thereSince, machine, there, now);
      mark(this.#goneSince, machine, gone, now);
    }
    for (const node of this.#ids()) if (this.#claimants(node).length > 1) this.#contested.set(node, now);
    if (calm && broker)
      for (const node of this.#ids()) this.#judge(node, broker.retained.get(`hearth/node/${node}/status`));
  }

  #judge(node: string, status: Message | undefined): void {
    const { world } = this.#sight;
    const { now } = world.timeline;
    const claimants = this.#claimants(node);
    const settled = this.#calmSince + presenceBounds.settle;
    const usual = world.kind === 'embedded' ? presenceBounds.goneEmbedded : presenceBounds.goneOutside;
    // One that was taken over by an installation which was told to back off has no connection that could be lost.
    const within = this.#wasTold(node) ? presenceBounds.silence : usual;
    if (status?.text === 'online' && claimants.every(machine => this.#goneSince.has(machine))) {
      const since = Math.max(
        ...claimants.map(machine => Math.max(this.#goneSince.get(machine) ?? now, this.#sight.disturbedAt(machine))),
      );
      // Started before the supervisor could judge: its grace counts.
      const due = since > settled ? since + within : Math.max(settled, since + within);
      if (now > due + 500) {
        world.violate('online-for-ever', `${node} is online, but gone for ${Math.round(now - since)} ms`);
      }
    }
    const [machine, ...others] = claimants;
    if (status?.text === 'online' || !machine || others.length > 0) return;
    const since = this.#thereSince.get(machine);
    if (since === undefined || machine.state === 'refused' || machine.state === 'left') return;
    const told = this.#wasTold(node) ? presenceBounds.backoff : 0;
    const due = Math.max(since, this.#calmSince, this.#sight.disturbedAt(machine)) + presenceBounds.back + told;
    // What can only be known by silence: a late copy of a birth that was none.
    if (now > due + 15_000) {
      world.violate('offline-for-ever', `${node} is there for ${Math.round(now - since)} ms, but not online`);
    }
  }

  #wasTold(node: string): boolean {
    return this.#sight.world.timeline.now - (this.#backedOff.get(node) ?? -1e9) < presenceBounds.backoff + 30_000;
  }

  #ids(): Set<string> {
    const ids = new Set<string>();
    for (const { node } of this.#sight.machines) if (node !== undefined) ids.add(node);
    return ids;
  }

  #claimants(node: string): Machine[] {
    return this.#sight.machines.filter(machine => machine.node === node);
  }

  unsettled(): readonly string[] {
    const problems: string[] = [];
    const { broker, machines } = this.#sight;
    if (broker?.retained.get('hearth/status')?.text !== 'online') problems.push('hearth/status is not online');
    for (const machine of machines) {
      if (machine.node === undefined || this.#claimants(machine.node).length > 1) continue;
      const status = broker?.retained.get(`hearth/node/${machine.node}/status`)?.text;
      const due = machine.link?.up ? 'online' : 'offline';
      if (status !== due) problems.push(`${machine.node} is ${status ?? 'unknown'}, not ${due}`);
    }
    return problems;
  }
}

function mark(since: Map<Machine, number>, machine: Machine, holds: boolean, now: number): void {
  if (!holds) since.delete(machine);
  else if (!since.has(machine)) since.set(machine, now);
}
