/** What only the holder of the cluster's key can say: sealed documents and orders, and the call to the fleet. */
import { type Signer, seal } from '../shared/authority.ts';
import { proto } from '../shared/limits.ts';
import type { Hello } from '../shared/schemas/presence.ts';
import type { Cmd, Want } from '../shared/schemas/want.ts';
import type { Compiled } from './desired/compile.ts';
import type { WorkOf } from './jobs/crew.ts';
import type { OrderBody } from './orders/orders.ts';

export class Authority {
  readonly #signer: Signer;
  readonly #ver: string;
  /** Random per process. */
  readonly #boot: string;
  readonly #bundle: (() => number) | undefined;

  /** @param bundle serial of the trust bundle that nodes should know. */
  constructor(signer: Signer, ver: string, boot: string, bundle?: () => number) {
    this.#signer = signer;
    this.#ver = ver;
    this.#boot = boot;
    this.#bundle = bundle;
  }

  /** A node's `want`, sealed. Its revision is that of the last change to anything it is compiled from. */
  want(node: string, compiled: Compiled, gen: number): string {
    const { cluster, key } = this.#signer;
    const { rev, ...rest } = compiled;
    const body: Want = { cluster, key, gen, rev, node, ...rest };
    return seal(this.#signer, 'want', node, body);
  }

  /** @param rev the journal's sequence at this moment. */
  cmd(node: string, order: OrderBody, gen: number, rev: number): string {
    const { cluster, key } = this.#signer;
    const body: Cmd = { cluster, key, gen, rev, node, ...order };
    return seal(this.#signer, 'cmd', node, body);
  }

  /** Work, signed, or as it stands where the session was told that nothing else comes (`plain`). */
  work(node: string, work: WorkOf, gen: number, rev: number, signed: boolean): string {
    const { cluster, key } = this.#signer;
    if (!signed) return JSON.stringify({ cluster, gen, rev, ...work });
    return seal(this.#signer, 'work', node, { cluster, key, gen, rev, ...work });
  }

  hello(gen: number, rev: number, atMs: number, standing: NonNullable<Hello['standing']>): string {
    const { cluster } = this.#signer;
    const hello: Hello = { cluster, boot: this.#boot, gen, rev, ver: this.#ver, proto, at_ms: atMs, standing };
    if (this.#bundle) return JSON.stringify({ ...hello, bundle: this.#bundle() });
    return JSON.stringify(hello);
  }
}
