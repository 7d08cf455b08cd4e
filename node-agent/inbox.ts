/** What a node subscribes to, and where each message goes. */
import { decode } from '../shared/codec.ts';
import { type Hello, helloPayload } from '../shared/schemas/presence.ts';
import type { topicsOf } from '../shared/topics.ts';

export interface Hearers {
  want(payload: Uint8Array): void;
  cmd(payload: Uint8Array): void;
  /** Absent: the node has no part in jobs. */
  readonly work: ((payload: Uint8Array) => void) | undefined;
  hello(hello: Hello): void;
}

export class Inbox {
  readonly #ways = new Map<string, (payload: Uint8Array) => void>();

  constructor(topics: ReturnType<typeof topicsOf>, node: string, { want, cmd, work, hello }: Hearers) {
    this.#ways.set(topics.node(node, 'want'), want);
    this.#ways.set(topics.node(node, 'cmd'), cmd);
    if (work) this.#ways.set(topics.node(node, 'work'), work);
    this.#ways.set(topics.fabric('hello'), payload => {
      const said = decode(helloPayload, payload, { maxBytes: 4096 });
      if (said.ok) hello(said.value);
    });
  }

  get topics(): readonly string[] {
    return [...this.#ways.keys()];
  }

  take(topic: string, payload: Uint8Array): void {
    this.#ways.get(topic)?.(payload);
  }
}
