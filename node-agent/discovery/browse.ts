/**
 * Looks for supervisors on the network by mDNS, until told to stop. Only for an agent that nobody told where its
 * supervisor is: load it then.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { MdnsLinks } from '../../shared/mdns/links.ts';
import { hearthType, type MdnsInterface } from '../../shared/mdns/packet.ts';
import { type Choice, chooseSupervisor, type FoundSupervisor, isKnown, merged, readFound } from './found.ts';

export interface BrowseParts {
  readonly clock: Clock;
  /** The cluster that is trusted already; others are passed over. */
  readonly cluster?: string;
  /** Told when who is found has changed, and nobody new has been heard of for a second and a half. */
  chosen(choice: Exclude<Choice, { kind: 'none' }>): void;
  trouble(sentence: string): void;
  /** This machine's where absent. */
  readonly interfaces?: () => readonly MdnsInterface[];
}

export interface Browsing {
  /** Everybody heard of so far. */
  readonly found: readonly FoundSupervisor[];
  /** Asks again soon: whoever was chosen does not answer. */
  again(): void;
  close(): void;
}

/** The first questions follow each other quickly, later ones ever slower (RFC 6762, section 5.2). */
const firstMs = 1000;
const slowestMs = 60_000;
const settleMs = 1500;
const mostFound = 64;

export function browse(parts: BrowseParts): Browsing {
  const { clock, cluster } = parts;
  const known = new Map<string, FoundSupervisor>();
  let asking: Timer | undefined;
  let settling: Timer | undefined;
  let told = '';
  let wait = firstMs;

  const settled = () => {
    settling = undefined;
    const choice = chooseSupervisor([...known.values()], cluster);
    const text = JSON.stringify(choice);
    if (text === told) return;
    told = text;
    if (choice.kind !== 'none') parts.chosen(choice);
  };
  const ask = () => {
    links.send({ type: 'query', questions: [{ name: hearthType, type: 'PTR' }] });
    asking = clock.after(wait, ask);
    wait = Math.min(slowestMs, wait * 2);
  };
  const soon = () => {
    asking?.cancel();
    wait = firstMs;
    asking = clock.after(20, ask);
  };
  const links = new MdnsLinks(
    {
      packet(packet, from) {
        const { up, down } = readFound(packet, from.address);
        const gone = down.filter(name => known.delete(name));
        const fresh = up.filter(each => !isKnown(known.get(each.name), each));
        for (const each of fresh) {
          if (known.has(each.name) || known.size < mostFound) known.set(each.name, merged(known.get(each.name), each));
        }
        if (gone.length + fresh.length === 0) return;
        settling ??= clock.after(settleMs, settled);
      },
      // A network that has just come up.
      interfaces: soon,
      trouble: parts.trouble,
    },
    parts.interfaces,
  );
  return {
    get found() {
      return [...known.values()];
    },
    again() {
      told = '';
      soon();
      settling ??= clock.after(settleMs, settled);
    },
    close() {
      asking?.cancel();
      settling?.cancel();
      links.close();
    },
  };
}
