/**
 * Subscriptions (never queues) of clients that asked for a session that outlives the connection: MQTT 3.1.1 with
 * CleanSession 0, MQTT 5 with a session expiry. Some such clients never subscribe again. Bounded; the one away longest
 * goes first.
 */
export interface KeptSubscription {
  readonly filter: string;
  readonly qos: 0 | 1;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly identifier?: number;
}

interface Session {
  /** Whose it is: {@link principalKey}. */
  readonly who: string;
  readonly list: readonly KeptSubscription[];
  readonly keepMs: number;
  /** Wall-clock milliseconds of the last sign of the client; 0 while it is connected. */
  away: number;
}

export interface KeptParts {
  readonly sessions: number;
  /** Of one principal; who owns this machine may have them all. */
  readonly sessionsEach: number;
  readonly subscriptions: number;
  readonly wall: () => number;
  /** Who a session belongs to that was kept without saying so, or as what it says. */
  owner(clientId: string, who: unknown): string;
  /** Undefined: forgotten. */
  changed(clientId: string, session: Buffer | undefined): void;
}

export class KeptSessions {
  /** In order of the last sign, oldest first. */
  private readonly sessions = new Map<string, Session>();
  private readonly parts: KeptParts;
  dropped = 0;

  constructor(parts: KeptParts) {
    this.parts = parts;
  }

  get size(): number {
    return this.sessions.size;
  }

  /** What a client that is connected is subscribed to now. */
  keep(clientId: string, who: string, list: readonly KeptSubscription[], keepMs: number): void {
    if (list.length === 0) {
      this.forget(clientId);
      return;
    }
    this.put(clientId, { who, list: list.slice(0, this.parts.subscriptions), keepMs, away: 0 });
    if (who !== 'owner') this.bound(this.parts.sessionsEach, who);
  }

  /** The client's connection is gone; from now on its session ages. */
  left(clientId: string, keepMs: number): void {
    const session = this.sessions.get(clientId);
    if (!session) return;
    if (keepMs === 0) this.forget(clientId);
    else this.put(clientId, { ...session, keepMs, away: this.parts.wall() });
  }

  /** What a client that comes back had; undefined where nothing is kept, or it has expired. */
  find(clientId: string): readonly KeptSubscription[] | undefined {
    return this.current(clientId)?.list;
  }

  /** Whose session is kept under the client id. */
  whose(clientId: string): string | undefined {
    return this.current(clientId)?.who;
  }

  /** Forgets the sessions of every principal that `ends` says so of. */
  forgetOf(ends: (who: string) => boolean): void {
    for (const [clientId, { who }] of this.sessions) if (ends(who)) this.forget(clientId);
  }

  private current(clientId: string): Session | undefined {
    const session = this.sessions.get(clientId);
    if (!session) return undefined;
    if (session.away > 0 && this.parts.wall() - session.away > session.keepMs) {
      this.forget(clientId);
      return undefined;
    }
    return session;
  }

  forget(clientId: string): void {
    if (this.sessions.delete(clientId)) this.parts.changed(clientId, undefined);
  }

  /** From the cache, at start: everybody is away, since then at the latest. Never throws. */
  restore(clientId: string, bytes: Buffer): void {
    try {
      const { who, list, keepMs, away } = JSON.parse(bytes.toString()) as Session;
      if (!Array.isArray(list) || !(keepMs > 0)) throw new Error('no session');
      const whose = this.parts.owner(clientId, who);
      this.sessions.set(clientId, { who: whose, list, keepMs, away: away > 0 ? away : this.parts.wall() });
      this.bound(this.parts.sessions);
    } catch {
      this.parts.changed(clientId, undefined);
    }
  }

  /** Forgets who has been away too long. Called now and then. */
  sweep(): void {
    for (const clientId of [...this.sessions.keys()]) this.find(clientId);
  }

  private put(clientId: string, session: Session): void {
    this.sessions.delete(clientId);
    this.sessions.set(clientId, session);
    this.parts.changed(clientId, Buffer.from(JSON.stringify(session)));
    this.bound(this.parts.sessions);
  }

  /** @param who counts the sessions of this principal only. */
  private bound(most: number, who?: string): void {
    if (this.sessions.size <= most) return;
    const counted = [...this.sessions].filter(([, session]) => who === undefined || session.who === who);
    for (let many = counted.length; many > most; many--) {
      const index = Math.max(
        0,
        counted.findIndex(([, session]) => session.away > 0),
      );
      const [oldest] = counted.splice(index, 1);
      if (!oldest) return;
      this.dropped++;
      this.forget(oldest[0]);
    }
  }
}
