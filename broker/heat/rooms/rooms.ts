/**
 * Rooms: what people want of them, what is measured in them, and what everybody sees of them. Decides nothing about heat:
 * who does looks at the entries and readings here, is told when one is another, and says how the room is.
 */
import type { Bus, BusMessage } from '../../../shared/bus.ts';
import type { Clock } from '../../../shared/clock.ts';
import type { ContractError, Result } from '../../../shared/errors.ts';
import type { RoomView } from '../../../shared/fleet-view.ts';
import type { Log } from '../../../shared/log.ts';
import { nearest, printable } from '../../../shared/names.ts';
import { type RoomIs, type RoomReading, roomLimits } from '../../../shared/schemas/room.ts';
import type { Journal } from '../../desired/journal.ts';
import { type Answers, type Asked, nameOf, remembered } from '../../orders/answers.ts';
import { readMark } from '../../rollout/verbs.ts';
import { acceptSet } from './accept.ts';
import { noRoom, type RoomEntry } from './entry.ts';
import { type Reading, Readings, readingNamed, readReading } from './readings.ts';
import { RoomsShown } from './shown.ts';

export interface RoomsParts {
  readonly base: string;
  readonly bus: Bus;
  /** Loaded before anything here is asked. */
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  readonly answers: Answers;
  /** Whether this supervisor may speak. */
  maySpeak(): boolean;
  /** The room's document is another one, is there, or is gone; or something was measured in it. */
  changed(room: string, what: 'document' | RoomReading): void;
  /** How the room is to be seen on dashboards; undefined: it is gone. */
  see(room: string, view: RoomView | undefined): void;
}

const verbs = ['forget'];

export class Rooms {
  readonly #parts: RoomsParts;
  readonly #shown: RoomsShown;
  readonly #readings = new Map<string, Readings>();

  constructor(parts: RoomsParts) {
    this.#parts = parts;
    const { base, bus, clock, log, journal, maySpeak } = parts;
    this.#shown = new RoomsShown({
      ...{ base, bus, clock, log, rooms: journal.durableRooms, maySpeak: () => maySpeak() },
      see: (room, view) => parts.see(room, view),
    });
  }

  /** The journal is loaded. */
  load(done: (error?: string) => void): void {
    for (const room of this.entries().keys()) this.#parts.changed(room, 'document');
    done();
  }

  /** Documents as they are on stable storage. */
  entries = (): ReadonlyMap<string, RoomEntry> => this.#parts.journal.durableRooms;

  /** The last reading that came for the room itself and still says something; its age counts from when it was measured. */
  latest(room: string, reading: RoomReading): Reading | undefined {
    return this.#readings.get(room)?.latest(reading, this.#parts.clock.now());
  }

  /** A `set` or `set/<key…>` on a room's topic: the room comes into being by it. */
  set(question: Asked): void {
    const { journal, answers, clock } = this.#parts;
    const { rest } = question.topic;
    const { payload, from } = question.message;
    const room = idOf(question);
    const known = journal.rooms.get(room);
    if (!known && payload.length === 0 && rest.length > 0) {
      answers.refuseStranger(question, () => this.#unknown(room));
      return;
    }
    if (!known && journal.rooms.size >= roomLimits.rooms) {
      const message = `there are ${roomLimits.rooms} rooms already: forget one with …/room/ID/do/forget`;
      answers.refuseStranger(question, () => ({ code: 'full', message }));
      return;
    }
    const before = known ?? noRoom;
    const { tx, entry } = acceptSet(before, rest, payload, clock.wall());
    const asked = remembered(question, tx);
    if (!entry.ok) {
      // A room that is not there can be meant by anybody, and without end.
      if (known) answers.refuse(asked, entry.error);
      else answers.refuseStranger(asked, () => entry.error);
      return;
    }
    const next = entry.value ?? (known ? undefined : noRoom);
    const told = (error: ContractError | undefined, rev: number) => {
      if (error) answers.refuse(asked, error);
      else answers.reply(asked, true, { rev });
    };
    // The same again is accepted and changes nothing; but what it equals may itself still wait for its sync.
    if (!next) {
      journal.afterPending(before.rev, told);
      return;
    }
    const by = from && nameOf(from);
    const what = { what: 'set', key: rest.join('.'), by, atMs: clock.wall() } as const;
    journal.submit({ noun: 'room', id: room, entry: next, ...what }, (error, rev) => {
      // Who reads `own` after his answer finds what he set.
      if (!error) this.#synced(room);
      told(error, rev);
    });
  }

  /** A `do/<verb>` on a room's topic. */
  do(question: Asked): void {
    const { journal, answers, clock } = this.#parts;
    const room = idOf(question);
    const [verb = ''] = question.topic.rest;
    const { tx, problem } = readMark(question.message.payload);
    const asked = remembered(question, tx);
    if (!verbs.includes(verb)) {
      answers.refuseStranger(asked, () => unknownVerb(verb));
    } else if (!journal.rooms.has(room)) {
      answers.refuseStranger(asked, () => this.#unknown(room));
    } else if (problem) {
      answers.refuse(asked, problem);
    } else {
      const { from } = question.message;
      const what = { what: 'forget', key: verb, by: from && nameOf(from), atMs: clock.wall() } as const;
      journal.submit({ noun: 'room', id: room, entry: undefined, ...what }, (error, rev) => {
        if (error) {
          answers.refuse(asked, error);
          return;
        }
        this.#synced(room);
        answers.reply(asked, true, { state: 'accepted', rev });
        answers.reply(asked, true, { state: 'finished', rev });
      });
    }
  }

  /** Something that was measured, on `in/<reading>` of a room. What counts is not answered. */
  reading(question: Asked): void {
    const { answers, journal } = this.#parts;
    const room = idOf(question);
    if (!journal.rooms.has(room)) {
      answers.refuseStranger(question, () => this.#unknown(room));
      return;
    }
    const named = readingNamed(question.topic.rest[0] ?? '');
    const taken = named.ok ? this.#measured(room, named.value, question.message) : named;
    // Anybody with a thermometer can be wrong without end.
    if (!taken.ok) answers.refuseStranger(remembered(question, undefined), () => taken.error);
  }

  #measured(room: string, reading: RoomReading, { payload, retain }: BusMessage): Result<boolean> {
    const { bus, clock, log, changed } = this.#parts;
    const sent = readReading(reading, payload);
    if (!sent.ok) return sent;
    const all = this.#readings.get(room) ?? new Readings();
    this.#readings.set(room, all);
    // The embedded broker keeps none: there the flag says only how it was sent.
    const old = retain && bus.kind === 'outside';
    const taken = all.take(reading, sent.value, clock.now(), clock.wall(), old);
    if (taken.ok && taken.value) changed(room, reading);
    else log.debug({ room, reading }, 'a reading that is old, or of unknown age, was left out');
    return taken;
  }

  /** How a room is, as it is to be seen. */
  say(room: string, is: RoomIs, online: boolean): void {
    this.#shown.say(room, is, online);
  }

  /** A retained `own` of a room. */
  found = (room: string): void => this.#shown.found(room);

  /** Alone on this base: everything retained is written again. */
  everything(done: () => void): void {
    this.#shown.everything(done);
  }

  /** Connected anew, and alone on this base: rooms are looked at at once. */
  again(): void {
    for (const room of this.entries().keys()) this.#parts.changed(room, 'document');
  }

  stop(done: () => void): void {
    this.#shown.stop();
    done();
  }

  /** A change of the room is on stable storage. */
  #synced(room: string): void {
    // Forgotten, and made anew since: what was measured is of this room all the same.
    if (!this.#parts.journal.rooms.has(room)) this.#readings.delete(room);
    this.#shown.own(room);
    this.#parts.changed(room, 'document');
  }

  #unknown(room: string): ContractError {
    const all = [...this.#parts.journal.rooms.keys()];
    const near = nearest(room, all);
    const make = 'a room comes into being by a set, such as …/set/target_c';
    const hint = near === undefined ? make : `did you mean "${near}"?`;
    return { code: 'id', message: `there is no room "${printable(room)}": ${hint}` };
  }
}

function unknownVerb(verb: string): ContractError {
  const near = nearest(verb, verbs);
  const hint = near === undefined ? `known is ${verbs.join(', ')}` : `did you mean "${near}"?`;
  return { code: 'unknown-verb', message: `"${printable(verb)}" is no verb of a room: ${hint}` };
}

/** The grammar lets no other address of a room pass. */
const idOf = ({ topic: { target } }: Asked): string => (target.kind === 'one' ? target.id : '');
