/** Rooms for the HTTP port: what a person turns there takes the same way as what is published, and is answered to both. */
import type { BusMessage } from '../shared/bus.ts';
import type { Clock } from '../shared/clock.ts';
import type { ResultMessage } from '../shared/schemas/fabric.ts';
import { topicsOf } from '../shared/topics.ts';
import type { RoomAnswer, WebRooms } from './http/seams.ts';

export interface RoomDeskParts {
  readonly base: string;
  readonly clock: Clock;
  /** The supervisor's. */
  speaks(): boolean;
  take(message: BusMessage): void;
}

/** A disk that is slower than this is in trouble. */
const patienceMs = 10_000;

export function createRoomDesk({ base, clock, speaks, take }: RoomDeskParts): WebRooms {
  const topics = topicsOf(base);
  return {
    async set(room, patch, { name, how }, address) {
      // Otherwise it would be kept until it may, or be lost, and nobody would say which.
      if (!speaks()) {
        return { ok: false, sentence: 'The supervisor has no broker now: nothing was changed.', away: true };
      }
      return new Promise<RoomAnswer | undefined>(resolve => {
        const late = clock.after(patienceMs, () => resolve(undefined));
        take({
          topic: topics.of('room', room, 'set'),
          payload: Buffer.from(JSON.stringify(patch)),
          ...{ qos: 1, retain: false },
          // No connection has this number.
          from: { serial: -1, clientId: 'dashboard', user: name, how, address },
          answered(result) {
            late.cancel();
            resolve(answerOf(result));
          },
        });
      });
    },
  };
}

const answerOf = ({ ok, rev, error }: ResultMessage): RoomAnswer =>
  ok ? { ok, rev: rev ?? 0 } : { ok, sentence: error ?? 'It was refused.' };
