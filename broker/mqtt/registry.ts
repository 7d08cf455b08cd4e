/**
 * Which connection speaks for which client id. The newest one does, from the moment its CONNECT is accepted; an older
 * one is not heard any more, and its will is dropped.
 */
import type { Connection } from './connection.ts';

export interface Told {
  connected(connection: Connection): void;
  disconnected(connection: Connection): void;
}

export class Registry {
  /** By client id, from CONNECT on. */
  private readonly newest = new Map<string, Connection>();
  /** By client id: the one that was last told as connected, and not yet as disconnected. */
  private readonly told = new Map<string, Connection>();
  private readonly tell: Told;

  constructor(tell: Told) {
    this.tell = tell;
  }

  /** Its CONNECT is accepted. */
  admit(connection: Connection): void {
    const older = this.newest.get(connection.id);
    if (older) older.replaced = true;
    this.newest.set(connection.id, connection);
  }

  /** Its CONNACK is out. */
  ready(connection: Connection): void {
    if (connection.replaced) return;
    this.told.set(connection.id, connection);
    this.tell.connected(connection);
  }

  /** It is gone, its will said. */
  gone(connection: Connection): void {
    const { id } = connection;
    if (this.newest.get(id) !== connection) return;
    this.newest.delete(id);
    // The told one may be an older one, where this one replaced it and did not get as far as its CONNACK.
    const told = this.told.get(id);
    if (!told) return;
    this.told.delete(id);
    this.tell.disconnected(told);
  }

  /** Everybody who is connected now. */
  current(): Iterable<Connection> {
    return this.told.values();
  }

  /** Who has the client id now, from CONNECT on. */
  holder(clientId: string): Connection | undefined {
    return this.newest.get(clientId);
  }

  find(serial: number, clientId: string): Connection | undefined {
    const found = this.told.get(clientId);
    return found?.identity.serial === serial ? found : undefined;
  }
}
