/**
 * The announcements on one broker: what is to be there against what is. Pure: events in, effects out.
 *
 *   LEARNING  for 5 s after the broker is reached: what is retained comes in, nothing is published.
 *   STANDING  every topic that is wanted and is not there as wanted is published, not sooner than 5 s after the last time
 *             (Home Assistant skips components of an update that comes while it is busy with the one before); what is ours,
 *             there, and nobody's any more is cleared: at once where it went before our eyes, a minute after the start where
 *             it went while nobody looked, as who is there may not have shown yet.
 *
 * Cleared by others: a person deleted the device in Home Assistant. That is remembered, and it is not announced again
 * until asked for, or until the thing itself was forgotten and made anew. Deleted while the broker was out of reach counts
 * too, but only where the announcement had lain there for hours and others of ours still do: a broker that lost its memory in
 * a power cut lost all, or the last half hour (Mosquitto's autosave_interval).
 *
 * Written by others: put right, at most once a minute.
 */
import { type BoardEffect, boardTimes, type Kept } from './board-events.ts';
import type { Known } from './component.ts';
import { ownObject } from './ids.ts';
import { hashOf, mostBytes, OnBroker, withRemoved } from './on-broker.ts';

/** Topics with our names that are kept in mind; a stranger may write any number of them. */
const mostTopics = 5000;

interface Wanted {
  readonly text: string;
  readonly hash: string;
}

export class Board {
  readonly #cluster: string;
  readonly #prefix: string;
  readonly #topics = new Map<string, OnBroker>();
  readonly #removed = new Map<string, number>();
  /** Topic to the wall time since when it is surely there. */
  readonly #told = new Map<string, number>();
  #wanted: ReadonlyMap<string, Wanted> | undefined;
  /** Neither to be announced nor cleared. */
  #silent: ReadonlySet<string> = new Set();
  /** Were wanted at some time since the start. */
  readonly #known = new Set<string>();
  /** To be sent though it is there. */
  readonly #again = new Set<string>();
  #learnUntil: number | undefined;
  #judged = false;
  #graceUntil = Number.POSITIVE_INFINITY;
  #birthAt: number | undefined;
  #lastBirth = Number.NEGATIVE_INFINITY;
  #next = Number.POSITIVE_INFINITY;
  /** Until when nothing more is published, whatever happens: a portion has just left. */
  #pause = Number.NEGATIVE_INFINITY;

  constructor(prefix: string, cluster: string) {
    this.#prefix = prefix;
    this.#cluster = cluster;
  }

  /** What an earlier life kept. */
  load(what: Kept, topic: string, atMs: number): void {
    if (ownObject(topic, this.#cluster) !== undefined) this.#kept(what).set(topic, atMs);
  }

  attach(now: number): void {
    this.#learnUntil = now + boardTimes.learnMs;
    this.#judged = false;
    this.#wake(this.#learnUntil);
  }

  /** The broker is out of reach: whatever lies there may be another thing by the time it is back. */
  detach(): void {
    this.#learnUntil = undefined;
    this.#birthAt = undefined;
    this.#again.clear();
    this.#topics.clear();
    this.#next = Number.POSITIVE_INFINITY;
  }

  /** What is known of what lies there. */
  known(topic: string): Known {
    const entry = this.#topics.get(topic);
    return { has: key => entry?.components.has(key) === true, expireS: entry?.expireS };
  }

  /** @param silent topics that are neither announced now nor to be cleared. */
  want(texts: ReadonlyMap<string, string>, silent: readonly string[], now: number): void {
    const before = this.#wanted;
    if (!before) this.#graceUntil = now + boardTimes.graceMs;
    const wanted = new Map<string, Wanted>();
    for (const [topic, text] of texts) {
      const old = before?.get(topic);
      wanted.set(topic, old?.text === text ? old : { text, hash: hashOf(text) });
      this.#known.add(topic);
    }
    this.#wanted = wanted;
    this.#silent = new Set(silent);
    this.#wake(now);
  }

  /** Home Assistant says that it is there. */
  birth(now: number, random: number): void {
    if (this.#learnUntil === undefined || now < this.#learnUntil || this.#birthAt !== undefined) return;
    const soon = now + boardTimes.birthMs * (1 + random);
    this.#birthAt = Math.max(soon, this.#lastBirth + boardTimes.betweenBirthsMs);
    this.#wake(this.#birthAt);
  }

  /** Announces everything, and what was removed by people, too. */
  rediscover(now: number): readonly BoardEffect[] {
    const effects = [...this.#removed.keys()].map(topic => this.#drop('removed', topic));
    for (const topic of this.#wanted?.keys() ?? []) this.#again.add(topic);
    this.#wake(now);
    return effects;
  }

  /** The thing itself is gone for good: one of the same id that is made after it is another one. */
  forgotten(topic: string): readonly BoardEffect[] {
    return this.#removed.has(topic) ? [this.#drop('removed', topic)] : [];
  }

  /** A message on a config topic. @param text undefined: too long, or no text. */
  heard(topic: string, text: string | undefined, now: number, wall: number): readonly BoardEffect[] {
    if (ownObject(topic, this.#cluster) === undefined) return [];
    let entry = this.#topics.get(topic);
    if (text === '') return entry ? this.#cleared(topic, entry, wall) : [];
    if (!entry) {
      if (this.#topics.size >= mostTopics && !this.#wanted?.has(topic)) return [];
      entry = new OnBroker();
      this.#topics.set(topic, entry);
    }
    entry.heard(text === undefined || text.length > mostBytes ? 'no announcement' : text);
    this.#wake(now);
    return [];
  }

  #cleared(topic: string, entry: OnBroker, wall: number): readonly BoardEffect[] {
    // Our own echo, or Home Assistant's further messages for one device.
    if (entry.hash === undefined) return [];
    entry.hash = undefined;
    entry.foreign = false;
    entry.components = new Map();
    entry.expireS = undefined;
    const ours = !this.#wanted || this.#wanted.has(topic) || this.#silent.has(topic);
    return ours ? this.#remove(topic, wall) : this.#told.has(topic) ? [this.#drop('told', topic)] : [];
  }

  /** When `step` has something to do; infinite: when something happens. */
  deadline(): number {
    return this.#learnUntil === undefined || !this.#wanted
      ? Number.POSITIVE_INFINITY
      : Math.max(this.#next, this.#learnUntil, this.#pause);
  }

  step(now: number, wall: number): readonly BoardEffect[] {
    const wanted = this.#wanted;
    if (!wanted || now < this.deadline()) return [];
    this.#next = Number.POSITIVE_INFINITY;
    const effects: BoardEffect[] = [];
    if (!this.#judged) this.#judge(wanted, wall, effects);
    this.#born(wanted, now);
    const room = { left: boardTimes.atOnce as number };
    this.#announce(wanted, now, room, effects);
    this.#clear(wanted, now, room, effects);
    if (room.left < boardTimes.atOnce) this.#pause = now + boardTimes.paceMs;
    this.#note(wanted, now, wall, effects);
    return effects;
  }

  /** At the end of learning: what was told and is not there. */
  #judge(wanted: ReadonlyMap<string, Wanted>, wall: number, effects: BoardEffect[]): void {
    this.#judged = true;
    const lies = (topic: string) => this.#topics.get(topic)?.hash !== undefined;
    const remembers = [...this.#topics.keys()].some(lies);
    for (const [topic, atMs] of [...this.#told]) {
      if (!wanted.has(topic) || lies(topic)) continue;
      if (remembers && wall - atMs >= boardTimes.surelyKeptMs) effects.push(...this.#remove(topic, wall));
      else effects.push(this.#drop('told', topic));
    }
  }

  #born(wanted: ReadonlyMap<string, Wanted>, now: number): void {
    if (this.#birthAt === undefined) return;
    if (now < this.#birthAt) {
      this.#wake(this.#birthAt);
      return;
    }
    this.#birthAt = undefined;
    this.#lastBirth = now;
    for (const topic of wanted.keys()) this.#again.add(topic);
  }

  #announce(wanted: ReadonlyMap<string, Wanted>, now: number, room: { left: number }, effects: BoardEffect[]): void {
    for (const topic of this.#again) if (!wanted.has(topic) || this.#removed.has(topic)) this.#again.delete(topic);
    for (const [topic, { text, hash }] of wanted) {
      if (this.#removed.has(topic)) continue;
      const entry = this.#topics.get(topic) ?? new OnBroker();
      if (entry.hash === hash && !this.#again.has(topic)) continue;
      const repair = entry.foreign ? entry.repairedAt + boardTimes.repairMs : Number.NEGATIVE_INFINITY;
      const due = Math.max(entry.lastAt + boardTimes.debounceMs, entry.clearedAt + boardTimes.clearedMs, repair);
      if (now < due || room.left === 0) {
        this.#wake(Math.max(due, now + boardTimes.paceMs));
        continue;
      }
      room.left--;
      this.#topics.set(topic, entry);
      this.#again.delete(topic);
      const { cmps } = JSON.parse(text) as { cmps: object };
      const gone = new Map([...entry.components].filter(([key]) => !Object.hasOwn(cmps, key)));
      const sent = withRemoved(text, gone);
      entry.sent(sent, now);
      effects.push({ type: 'publish', topic, text: sent });
      // The second step, without what is removed by now.
      if (gone.size > 0) this.#wake(now + boardTimes.debounceMs);
    }
  }

  /** Ours, and nobody's any more. */
  #clear(wanted: ReadonlyMap<string, Wanted>, now: number, room: { left: number }, effects: BoardEffect[]): void {
    const isGone = (topic: string) => {
      if (wanted.has(topic) || this.#silent.has(topic)) return false;
      if (this.#known.has(topic) || now >= this.#graceUntil) return true;
      this.#wake(this.#graceUntil);
      return false;
    };
    for (const [topic, entry] of this.#topics) {
      if (entry.hash === undefined || !(this.#removed.has(topic) || isGone(topic))) continue;
      const due = Math.max(entry.clearedAt + boardTimes.repairMs, entry.lastAt);
      if (now < due || room.left === 0) {
        this.#wake(Math.max(due, now + boardTimes.paceMs));
        continue;
      }
      room.left--;
      entry.sent('', now);
      effects.push({ type: 'publish', topic, text: '' });
      if (this.#told.has(topic)) effects.push(this.#drop('told', topic));
    }
    const remembers = [...this.#topics.values()].some(({ hash }) => hash !== undefined);
    for (const topic of [...this.#told.keys()]) {
      if (this.#topics.get(topic)?.hash !== undefined || !isGone(topic)) continue;
      effects.push(this.#drop('told', topic));
      // Under another prefix nobody listened; and a broker that lost its memory tells nobody that it is gone.
      if (!remembers || !topic.startsWith(`${this.#prefix}/`)) effects.push({ type: 'publish', topic, text: '' });
    }
    for (const topic of [...this.#removed.keys()]) if (isGone(topic)) effects.push(this.#drop('removed', topic));
    for (const [topic, { hash, clearedAt }] of this.#topics) {
      if (hash === undefined && now >= clearedAt + boardTimes.repairMs && !wanted.has(topic)) {
        this.#topics.delete(topic);
        this.#known.delete(topic);
      }
    }
  }

  /** What has lain there for a while is noted down, so that a later life knows it to be there. */
  #note(wanted: ReadonlyMap<string, Wanted>, now: number, wall: number, effects: BoardEffect[]): void {
    for (const [topic, { hash, lastAt, foreign }] of this.#topics) {
      if (hash === undefined || foreign || this.#told.has(topic) || !wanted.has(topic)) continue;
      if (now < lastAt + boardTimes.toldMs) this.#wake(lastAt + boardTimes.toldMs);
      else {
        this.#told.set(topic, wall);
        effects.push({ type: 'keep', what: 'told', topic, atMs: wall });
      }
    }
  }

  #remove(topic: string, wall: number): readonly BoardEffect[] {
    this.#removed.set(topic, wall);
    const known = this.#told.has(topic) ? [this.#drop('told', topic)] : [];
    return [...known, { type: 'keep', what: 'removed', topic, atMs: wall }, { type: 'removed', topic }];
  }

  #drop(what: Kept, topic: string): BoardEffect {
    this.#kept(what).delete(topic);
    return { type: 'drop', what, topic };
  }

  #kept = (what: Kept): Map<string, number> => (what === 'removed' ? this.#removed : this.#told);

  #wake(at: number): void {
    this.#next = Math.min(this.#next, at);
  }
}
