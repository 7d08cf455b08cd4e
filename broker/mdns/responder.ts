/**
 * The mDNS responder core (RFC 6762): probes for its name, takes another one where somebody else has it, announces,
 * answers, and says goodbye. Pure: packets and times in, packets out.
 *
 *   probing ──3 probes, nobody objects──▶ announcing ──2 announcements──▶ settled
 *      ▲                                      │                              │
 *      └──────────── somebody else claims the name: is it still ours? ────────┘
 *
 * Where somebody objects to a probe, the next number is tried.
 */
import type { Random } from '../../shared/clock.ts';
import {
  authoritative,
  type DnsPacket,
  type DnsRecord,
  type MdnsInterface,
  mdnsPort,
  sameName,
  srvOf,
} from '../../shared/mdns/packet.ts';
import { type Advertised, type OwnRecords, recordsOf, targetName } from './records.ts';

const times = {
  probeMs: 250,
  announceMs: 1000,
  /** What several may answer waits for up to this, so that they do not speak at once. */
  sharedMs: 120,
  /** The same record goes out on one interface at most that often. */
  againMs: 1000,
  /** … but for answers to whom they are of no use later. */
  defendMs: 100,
  /** After many conflicts in a row a probe waits that long. */
  conflictMs: 5000,
} as const;
const probes = 3;
const announcements = 2;
const manyConflicts = 10;
const mostQuestions = 32;

export interface Sent {
  readonly packet: DnsPacket;
  /** Name of the interface. */
  readonly via: string;
  /** Absent: to all. */
  readonly to?: { readonly address: string; readonly port: number };
}

interface Out {
  readonly via: MdnsInterface;
  /** When each record went out last, by index. */
  readonly last: Map<number, number>;
  /** Asked for, and waiting to be answered together. */
  readonly asked: Set<number>;
}

export class Responder {
  readonly #own: Advertised;
  readonly #random: Random;
  #number = 1;
  #phase: 'probing' | 'announcing' | 'settled' | 'ended' = 'probing';
  #count = 0;
  #conflicts = 0;
  #due = Number.POSITIVE_INFINITY;
  #answerAt = Number.POSITIVE_INFINITY;
  #outs: Out[] = [];

  constructor(own: Advertised, random: Random) {
    this.#own = own;
    this.#random = random;
  }

  /** The number in the name, from 1. */
  get number(): number {
    return this.#number;
  }

  get settled(): boolean {
    return this.#phase === 'settled';
  }

  deadline(): number {
    return Math.min(this.#due, this.#answerAt);
  }

  /** Interfaces came or went: a new one hears of everything. */
  interfaces(list: readonly MdnsInterface[], now: number): Sent[] {
    const same = (a: MdnsInterface, b: MdnsInterface) => a.name === b.name && a.address === b.address;
    const fresh = list.filter(via => !this.#outs.some(out => same(out.via, via)));
    this.#outs = list.map(
      via => this.#outs.find(out => same(out.via, via)) ?? { via, last: new Map(), asked: new Set() },
    );
    if (this.#phase === 'ended' || fresh.length === 0) return [];
    if (this.#phase !== 'probing') {
      this.#phase = 'announcing';
      this.#count = 0;
      this.#due = now;
    } else if (this.#due === Number.POSITIVE_INFINITY) this.#due = now + this.#random.next() * times.probeMs;
    return [];
  }

  tick(now: number): Sent[] {
    const sent: Sent[] = [];
    if (now >= this.#answerAt) sent.push(...this.#answerAsked(now));
    if (now < this.#due) return sent;
    if (this.#phase === 'probing') {
      if (this.#count < probes) {
        this.#count++;
        this.#due = now + times.probeMs;
        return [...sent, ...this.#outs.map(out => this.#probe(out))];
      }
      this.#phase = 'announcing';
      this.#count = 0;
    }
    this.#count++;
    this.#phase = this.#count < announcements ? 'announcing' : 'settled';
    this.#due = this.#phase === 'settled' ? Number.POSITIVE_INFINITY : now + times.announceMs;
    return [...sent, ...this.#outs.map(out => this.#all(out, now))];
  }

  heard(packet: DnsPacket, from: { address: string; port: number }, via: MdnsInterface, now: number): Sent[] {
    const out = this.#outs.find(each => each.via.name === via.name && each.via.address === via.address);
    if (!out || this.#phase === 'ended') return [];
    if (packet.type === 'response') {
      const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])];
      if (from.port === mdnsPort && records.some(record => this.#contradicts(out, record))) {
        this.#conflict(now);
      }
      return [];
    }
    if (this.#phase === 'probing') {
      this.#otherProbe(out, packet, now);
      return [];
    }
    return this.#query(out, packet, from, now);
  }

  /** Takes everything back. */
  end(): Sent[] {
    const told = this.#phase === 'announcing' || this.#phase === 'settled';
    this.#phase = 'ended';
    this.#due = Number.POSITIVE_INFINITY;
    this.#answerAt = Number.POSITIVE_INFINITY;
    if (!told) return [];
    return this.#outs.map(out => ({
      via: out.via.name,
      // The list of service types is everybody's.
      packet: response(
        this.#records(out)
          .all.filter(({ name }) => !name.startsWith('_services.'))
          .map(record => ({ ...record, ttl: 0 })),
      ),
    }));
  }

  #records({ via }: Out): OwnRecords {
    return recordsOf(this.#own, this.#number, via);
  }

  #probe(out: Out): Sent {
    const { instances, all } = this.#records(out);
    const questions = instances.map(name => ({ name, type: 'ANY' }));
    const authorities = all.filter(({ type }) => type === 'SRV').map(({ flush: _, ...record }) => record);
    return { via: out.via.name, packet: { type: 'query', questions, authorities } };
  }

  #all(out: Out, now: number): Sent {
    const { all } = this.#records(out);
    for (const index of all.keys()) out.last.set(index, now);
    return { via: out.via.name, packet: response(all) };
  }

  /** Whether somebody else says that one of this supervisor's names is another service. */
  #contradicts(out: Out, record: DnsRecord): boolean {
    const said = srvOf(record);
    if (!said || (record.ttl ?? 0) === 0) return false;
    const own = this.#records(out).all.find(({ name, type }) => type === 'SRV' && sameName(name, record.name));
    const mine = own && srvOf(own);
    return mine !== undefined && (mine.port !== said.port || !sameName(mine.target, said.target));
  }

  /** Asks whose the name is; who is asking already has the answer (sections 8.1 and 9). */
  #conflict(now: number): void {
    if (this.#phase === 'probing') this.#number++;
    this.#conflicts++;
    this.#phase = 'probing';
    this.#count = 0;
    for (const out of this.#outs) out.asked.clear();
    this.#answerAt = Number.POSITIVE_INFINITY;
    const wait = this.#conflicts >= manyConflicts ? times.conflictMs : this.#random.next() * times.probeMs;
    this.#due = now + wait;
  }

  /** Two that probe for one name at once: the greater record keeps it, the other one waits and looks again (section 8.2). */
  #otherProbe(out: Out, { authorities = [] }: DnsPacket, now: number): void {
    const other = authorities.find(record => this.#contradicts(out, record));
    const said = other && srvOf(other);
    if (!said) return;
    const mine = this.#records(out)
      .all.map(srvOf)
      .find(srv => srv !== undefined);
    if (!mine || mine.port > said.port || (mine.port === said.port && mine.target > said.target)) return;
    this.#count = 0;
    this.#due = now + times.announceMs;
  }

  #query(out: Out, packet: DnsPacket, from: { address: string; port: number }, now: number): Sent[] {
    const { all } = this.#records(out);
    const questions = (packet.questions ?? []).slice(0, mostQuestions);
    const wanted = new Set<number>();
    for (const [index, record] of all.entries()) {
      const asked = questions.some(
        ({ name, type }) => sameName(name, record.name) && (type === record.type || type === 'ANY'),
      );
      if (asked && !(packet.answers ?? []).some(known => isKnown(record, known))) wanted.add(index);
    }
    if (wanted.size === 0) return [];
    const chosen = [...this.#completed(all, wanted)];
    if (from.port !== mdnsPort) {
      // A resolver that knows DNS only: it gets its own question back, and may not keep the answer for long.
      const answers = chosen.map(index => all[index]).filter(record => record !== undefined);
      const short = answers.map(({ flush: _, ...record }) => ({ ...record, ttl: 10 }));
      const legacy = { ...response(short), questions, ...(packet.id === undefined ? {} : { id: packet.id }) };
      return this.#mayAnswer(out, [...wanted], now) ? [{ via: out.via.name, to: from, packet: legacy }] : [];
    }
    if ((packet.authorities?.length ?? 0) > 0) {
      // Somebody is about to take the name: it is defended at once.
      const answers = chosen.map(index => all[index]).filter(record => record !== undefined);
      return this.#mayAnswer(out, [...wanted], now) ? [{ via: out.via.name, packet: response(answers) }] : [];
    }
    for (const index of chosen) out.asked.add(index);
    const wait = 20 + this.#random.next() * (times.sharedMs - 20);
    this.#answerAt = Math.min(this.#answerAt, now + wait);
    return [];
  }

  /** Whoever finds a service wants to know where it is. */
  #completed(all: readonly DnsRecord[], wanted: ReadonlySet<number>): ReadonlySet<number> {
    const names = new Set([...wanted].map(index => all[index]?.data).filter(data => typeof data === 'string'));
    const more = [...all.keys()].filter(index => {
      const record = all[index];
      if (!record || (record.type !== 'SRV' && record.type !== 'TXT')) return false;
      return names.has(record.name) || wanted.has(index);
    });
    const address = all.findIndex(({ name }) => name === targetName(this.#own.cluster));
    const withAddress = more.some(index => all[index]?.type === 'SRV');
    return new Set([...wanted, ...more, ...(withAddress ? [address] : [])]);
  }

  #mayAnswer(out: Out, indices: readonly number[], now: number): boolean {
    const may = indices.some(index => now - (out.last.get(index) ?? Number.NEGATIVE_INFINITY) >= times.defendMs);
    if (may) for (const index of indices) out.last.set(index, now);
    return may;
  }

  #answerAsked(now: number): Sent[] {
    this.#answerAt = Number.POSITIVE_INFINITY;
    return this.#outs.flatMap(out => {
      const due = [...out.asked].filter(
        index => now - (out.last.get(index) ?? Number.NEGATIVE_INFINITY) >= times.againMs,
      );
      out.asked.clear();
      if (due.length === 0) return [];
      const { all } = this.#records(out);
      for (const index of due) out.last.set(index, now);
      const answers = due.map(index => all[index]).filter(record => record !== undefined);
      return [{ via: out.via.name, packet: response(answers) }];
    });
  }
}

const response = (answers: readonly DnsRecord[]): DnsPacket => ({ type: 'response', flags: authoritative, answers });

/** The asker knows this answer, and will for a while (section 7.1). */
const isKnown = (own: DnsRecord, known: DnsRecord): boolean =>
  known.type === own.type &&
  sameName(known.name, own.name) &&
  typeof known.data === 'string' &&
  typeof own.data === 'string' &&
  sameName(known.data, own.data) &&
  (known.ttl ?? 0) >= (own.ttl ?? 0) / 2;
