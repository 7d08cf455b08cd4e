/**
 * Whether the user's broker and Hearth's own are one after all, under two names, or joined by a bridge. Each side's
 * `hello` carries a number that its process drew at random: one that is heard on the other side has gone round. On the
 * embedded broker that is a publish which is refused, and told of. Pure.
 */
import { decode } from '../../shared/codec.ts';
import { type Hello, helloPayload } from '../../shared/schemas/presence.ts';

export const decodeHello = (payload: Uint8Array) => decode(helloPayload, payload, { maxBytes: 1024, maxDepth: 2 });

export class Loop {
  readonly #boot: string;
  #home: string | undefined;

  /** @param boot of the uplink, drawn at random. */
  constructor(boot: string) {
    this.#boot = boot;
  }

  /** What the supervisor itself says on Hearth's broker. */
  saidAtHome(hello: string | Uint8Array): void {
    const own = decodeHello(typeof hello === 'string' ? Buffer.from(hello) : hello);
    if (own.ok) this.#home = own.value.boot;
  }

  /** Whether a `hello` that arrived on Hearth's broker is the uplink's. */
  isOurs(hello: Uint8Array): boolean {
    const heard = decodeHello(hello);
    return heard.ok && heard.value.boot === this.#boot;
  }

  /** Whether one that arrived on the user's broker is of the supervisor here. */
  isOfHome({ boot }: Pick<Hello, 'boot'>): boolean {
    return boot === this.#home;
  }
}

/** @param where the user's broker, without a password. */
export const loopSentence = (where: string, base: string): string =>
  `the uplink's broker ${where} is the one that Hearth itself runs on, or a bridge joins the two: what Hearth said there came back. Home Assistant finds everything on Hearth's own broker: leave --uplink out, name another broker, or keep ${base}/# out of the bridge`;
