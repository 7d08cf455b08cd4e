/** The way to the user's own broker, where the settings name one: beside the cluster's bus, which it listens along with. */
import type { Bus, BusMessage } from '../../shared/bus.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { OutletName } from '../homeassistant/outlet.ts';
import { partStopMs, type Undo, within } from '../parts.ts';
import { Uplink } from './uplink.ts';

/** Of the supervisor, what an uplink needs. */
export interface UplinkEnd {
  /** A command for a room, or one of the few for a node. */
  command(message: BusMessage): void;
  heard(topic: string, payload: Uint8Array, retain: boolean): void;
  up(): void;
  down(): void;
}

export interface UplinkPart {
  /** The cluster's bus; what is said and heard on it goes over the uplink as far as it is mirrored. */
  readonly bus: Bus;
  readonly uplink: Pick<Uplink, 'outlet' | 'also'> | undefined;
  /** Connects; called once the supervisor is up. */
  start(end: UplinkEnd): void;
}

export interface UplinkSurroundings {
  readonly base: string;
  readonly ver: string;
  readonly cluster: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** At the first connection it shows that the user's broker is Hearth's own: one sentence. */
  readonly looped: (sentence: string) => void;
}

export const uplinkName: OutletName = 'uplink';

/**
 * @param url of the user's broker; undefined: there is none, and the bus stays as it is.
 * @throws UserError when the URL cannot be one of a broker.
 */
export function openUplink(url: string | undefined, around: UplinkSurroundings, undo: Undo[]): UplinkPart {
  const { bus, base, log } = around;
  if (url === undefined) return { bus, uplink: undefined, start() {} };
  let end: UplinkEnd | undefined;
  const uplink = new Uplink({
    ...{ url, base, log, ver: around.ver, cluster: around.cluster, clock: around.clock, random: around.random },
    looped: around.looped,
    command: message => end?.command(message),
    heard: (topic, payload, retain) => end?.heard(topic, payload, retain),
    up: () => {
      log.info({}, 'the uplink stands');
      end?.up();
    },
    down: reason => {
      log.warn({ reason }, 'the uplink is down');
      end?.down();
    },
  });
  return {
    uplink,
    bus: mirroredBus(bus, uplink),
    start(to) {
      end = to;
      uplink.start();
      undo.push(() => within(partStopMs, done => uplink.stop(done)));
    },
  };
}

/** A bus whose messages, said and heard, are told to `uplink`, too. */
export function mirroredBus(bus: Bus, uplink: Pick<Uplink, 'mirror' | 'saidAtHome' | 'cameHome'>): Bus {
  return {
    kind: bus.kind,
    start: (filters, handlers) =>
      bus.start(filters, {
        ...handlers,
        refused: (message, reason) => {
          if (!uplink.cameHome(message)) handlers.refused?.(message, reason);
        },
        message: message => {
          // The supervisor would take it for another one.
          if (uplink.cameHome(message)) return;
          const { topic, payload, retain, qos } = message;
          // Nodes publish `info` and `is` retained; what else they say is of the moment.
          uplink.mirror(topic, payload, { retain: retain || /\/(info|is)$/.test(topic), qos: qos === 0 ? 0 : 1 });
          handlers.message(message);
        },
      }),
    also: filters => bus.also(filters),
    publish(topic, payload, options, done) {
      uplink.saidAtHome(topic, payload);
      uplink.mirror(topic, payload, { retain: options.retain ?? false, qos: options.qos });
      bus.publish(topic, payload, options, done);
    },
    kick: (connection, reason) => bus.kick(connection, reason),
    stop: done => bus.stop(done),
  };
}
