/** Puts a supervisor that is open to the network onto it by mDNS. Trouble is told in the log and ends nothing. */
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import { MdnsLinks } from '../../shared/mdns/links.ts';
import type { MdnsInterface } from '../../shared/mdns/packet.ts';
import { type Advertised, instanceLabel } from './records.ts';
import { Responder, type Sent } from './responder.ts';

export interface AdvertiseParts extends Advertised {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** This machine's where absent. */
  readonly interfaces?: () => readonly MdnsInterface[];
}

export interface Advertisement {
  /** What it is called on the network at the moment, and whether nobody else claims that. */
  readonly name: string;
  readonly settled: boolean;
  /** Goodbye, then the end. */
  close(done: () => void): void;
}

export function advertise(parts: AdvertiseParts): Advertisement {
  const { clock, random, log, hostname } = parts;
  const responder = new Responder(parts, random);
  let timer: Timer | undefined;
  let number = responder.number;
  let early: readonly MdnsInterface[] | undefined;
  let links: MdnsLinks | undefined;
  const run = (sent: readonly Sent[]) => {
    for (const { packet, via, to } of sent) links?.send(packet, via, to);
    if (responder.number !== number) {
      number = responder.number;
      log.warn(
        {},
        `another service has that name on the network: this one is "${instanceLabel(hostname, number)}" now`,
      );
    }
    timer?.cancel();
    const at = responder.deadline();
    timer =
      at === Number.POSITIVE_INFINITY
        ? undefined
        : clock.after(Math.max(0, at - clock.now()), () => run(responder.tick(clock.now())));
  };
  links = new MdnsLinks(
    {
      packet: (packet, from, via) => run(responder.heard(packet, from, via, clock.now())),
      interfaces: list => {
        // The first list comes before there is anything to send on.
        if (links) run(responder.interfaces(list, clock.now()));
        else early = list;
      },
      trouble: sentence => log.warn({}, sentence),
    },
    parts.interfaces,
  );
  run(responder.interfaces(early ?? [], clock.now()));
  return {
    get name() {
      return instanceLabel(hostname, responder.number);
    },
    get settled() {
      return responder.settled;
    },
    close(done) {
      run(responder.end());
      timer?.cancel();
      links?.close(done);
    },
  };
}
