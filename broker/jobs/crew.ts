/**
 * Sessions of nodes and the messages of work to them: whose they are, in which order, and signed where that is needed. On
 * the embedded broker nobody but the supervisor writes `work`, which messages say, signed, until one of them is heard: a
 * node that has reported in a session has joined, and can judge what it gets. The others then need no signature of their own.
 */
import type { Bus } from '../../shared/bus.ts';
import type { Log } from '../../shared/log.ts';
import type { Work } from '../../shared/schemas/work.ts';
import { topicsOf } from '../../shared/topics.ts';
import type { WorkBody } from './core/events.ts';

export interface NodeSession {
  readonly inst: string;
  readonly epoch: number;
}

/** A message of work without what the authority adds. */
export type WorkOf = WorkBody & NodeSession & Pick<Work, 'seq' | 'plain'>;

export interface CrewParts {
  readonly base: string;
  readonly bus: Bus;
  readonly log: Log;
  /** The message as it goes out. */
  seal(node: string, work: WorkOf, signed: boolean): string;
  /** A session begins, or is over. */
  turned(node: string, session: NodeSession | undefined): void;
}

export class Crew {
  readonly #parts: CrewParts;
  readonly #topics: ReturnType<typeof topicsOf>;
  readonly #sessions = new Map<string, NodeSession & { reported: boolean; told: boolean }>();
  #seq = 0;

  constructor(parts: CrewParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
  }

  /** @param seq messages of this start are numbered from here. */
  begin(seq: number): void {
    this.#seq = seq;
  }

  /** The node's session by presence; undefined: it is offline. */
  session(node: string, session: NodeSession | undefined): void {
    const known = this.#sessions.get(node);
    if (known?.inst === session?.inst && known?.epoch === session?.epoch) return;
    if (session) this.#sessions.set(node, { ...session, reported: false, told: false });
    else this.#sessions.delete(node);
    this.#parts.turned(node, session);
  }

  /** It has reported in that session. */
  heard(node: string, { inst, epoch }: NodeSession): void {
    const known = this.#sessions.get(node);
    if (known?.inst === inst && known.epoch === epoch) known.reported = true;
  }

  send(node: string, epoch: number, body: WorkBody): void {
    const { bus, log, seal } = this.#parts;
    const session = this.#sessions.get(node);
    if (session?.epoch !== epoch) return;
    const own = bus.kind === 'embedded';
    const signed = !own || !session.told;
    session.told = session.reported;
    const work: WorkOf = {
      ...{ inst: session.inst, epoch, seq: ++this.#seq },
      ...(own && signed ? { plain: true } : {}),
      ...body,
    };
    bus.publish(this.#topics.node(node, 'work'), seal(node, work, signed), { qos: 1 }, error => {
      // The broker is gone, and the session with it: what was in it is not live any more then.
      if (error) log.debug({ node, error: error.message }, 'work was not sent');
    });
  }
}
