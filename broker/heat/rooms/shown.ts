/**
 * What everybody sees of rooms: `own`, `is` and `status`, retained, and the same for dashboards. As the rest of the projection they are written again
 * at every start and reconnect, and what is retained of rooms that are gone is cleared then.
 */
import type { Bus } from '../../../shared/bus.ts';
import type { Clock, Timer } from '../../../shared/clock.ts';
import type { RoomView } from '../../../shared/fleet-view.ts';
import type { Log } from '../../../shared/log.ts';
import { sameJson } from '../../../shared/same-json.ts';
import { type RoomIs, roomDefaults, roomLimits } from '../../../shared/schemas/room.ts';
import { topicsOf } from '../../../shared/topics.ts';
import type { RoomEntry } from './entry.ts';

/** Not more often, and not more seldom, ms. */
export const isTimes = { leastMs: 1000, mostMs: 30_000 } as const;

/** Others are found again at the next start. */
const mostGone = 1000;

export interface ShownParts {
  readonly base: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  /** Rooms as they are on stable storage. */
  readonly rooms: ReadonlyMap<string, RoomEntry>;
  /** Whether this supervisor may speak. */
  maySpeak(): boolean;
  /** How the room is to be seen; undefined: it is gone. */
  see(room: string, view: RoomView | undefined): void;
}

/** What is said of a room. */
interface Shown {
  is?: RoomIs;
  /** When `is` was said, epoch ms, and of which revision of the document. */
  of?: { readonly wall: number; readonly rev: number };
  status: 'online' | 'offline';
  /** `is` as it was published last, and when. */
  told?: { readonly is: RoomIs; readonly at: number };
  timer?: Timer;
}

export class RoomsShown {
  readonly #parts: ShownParts;
  readonly #topics: ReturnType<typeof topicsOf>;
  readonly #rooms = new Map<string, Shown>();
  /** Rooms of which something is retained though they are gone, until it is cleared. */
  readonly #gone = new Set<string>();
  #stopped = false;

  constructor(parts: ShownParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
  }

  /** The room's document is another one, or gone. */
  own(room: string): void {
    const entry = this.#parts.rooms.get(room);
    if (!entry) {
      this.#clear(room);
      return;
    }
    this.#retain(room, 'own', JSON.stringify({ ...entry.document, rev: entry.rev }));
    if (!this.#rooms.has(room)) this.#status(room, this.#of(room));
    this.#see(room);
  }

  /** How the room is. What is told of it on the way to here is told in time. */
  say(room: string, is: RoomIs, online: boolean): void {
    const { rooms, clock } = this.#parts;
    const entry = rooms.get(room);
    if (this.#stopped || !entry) return;
    const shown = this.#of(room);
    shown.is = is;
    shown.of = { wall: clock.wall(), rev: entry.rev };
    const status = online ? 'online' : 'offline';
    const turned = shown.status !== status;
    shown.status = status;
    const { told } = shown;
    if (!told || !sameButAge(told.is, is)) this.#soon(room, shown, isTimes.leastMs);
    // What makes it available comes first, as what is not is not looked at.
    if (turned) this.#status(room, shown);
    this.#see(room);
  }

  /** A retained `own` on the broker. */
  found(room: string): void {
    if (this.#parts.rooms.has(room)) return;
    if (this.#parts.maySpeak()) this.#clear(room);
    else if (this.#gone.size < mostGone) this.#gone.add(room);
  }

  everything(done: () => void): void {
    for (const room of this.#gone) if (!this.#parts.rooms.has(room)) this.#clear(room);
    this.#gone.clear();
    const rooms = [...this.#parts.rooms.keys()];
    let left = rooms.length + 1;
    const one = () => {
      if (--left === 0) done();
    };
    for (const room of rooms) {
      const shown = this.#of(room);
      this.own(room);
      if (shown.is) this.#tell(room, shown);
      this.#status(room, shown, one);
    }
    one();
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#rooms.values()) timer?.cancel();
  }

  #of(room: string): Shown {
    const shown = this.#rooms.get(room) ?? { status: 'offline' };
    this.#rooms.set(room, shown);
    return shown;
  }

  #see(room: string): void {
    const entry = this.#parts.rooms.get(room);
    if (!entry) return;
    const { status, is, of } = this.#of(room);
    const { name, limit_c, presets } = entry.document;
    this.#parts.see(room, {
      ...{ id: room, name, online: status === 'online', is, is_at_ms: of?.wall, is_rev: of?.rev ?? 0 },
      min_c: roomLimits.coldest,
      max_c: Math.min(roomLimits.warmest, limit_c ?? roomDefaults.limit_c),
      presets: { ...roomDefaults.presets, ...presets },
    });
  }

  #clear(room: string): void {
    this.#rooms.get(room)?.timer?.cancel();
    this.#rooms.delete(room);
    this.#parts.see(room, undefined);
    // `own` last: as long as it is there, a supervisor that starts knows of what is to be cleared.
    for (const part of ['is', 'status', 'own'] as const) this.#retain(room, part, '');
  }

  /** Tells how it is when `ms` have gone since it was told last: at once where they have. */
  #soon(room: string, shown: Shown, ms: number): void {
    shown.timer?.cancel();
    const left = shown.told ? shown.told.at + ms - this.#parts.clock.now() : 0;
    if (left <= 0) this.#tell(room, shown);
    else shown.timer = this.#parts.clock.after(left, () => this.#tell(room, shown));
  }

  #tell(room: string, shown: Shown): void {
    const { is } = shown;
    if (!is || this.#stopped) return;
    shown.told = { is, at: this.#parts.clock.now() };
    this.#retain(room, 'is', JSON.stringify(is));
    this.#soon(room, shown, isTimes.mostMs);
  }

  #status(room: string, { status }: Shown, done?: () => void): void {
    this.#retain(room, 'status', status, done);
  }

  #retain(room: string, part: 'own' | 'is' | 'status', text: string, done?: () => void): void {
    const { bus, log, maySpeak } = this.#parts;
    if (!maySpeak()) {
      done?.();
      return;
    }
    const topic = this.#topics.of('room', room, part);
    bus.publish(topic, text, { qos: 1, retain: true }, error => {
      // An outside broker that is gone: everything is written again when it is back.
      if (error) log.debug({ topic, error: error.message }, 'not published');
      done?.();
    });
  }
}

/** The age of the thermometer's reading alone is no change: it grows by itself. */
function sameButAge(a: RoomIs, b: RoomIs): boolean {
  const { temp_age_s: _, ...one } = a;
  const { temp_age_s: __, ...other } = b;
  return sameJson(one, other);
}
