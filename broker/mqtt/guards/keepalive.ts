/**
 * Who has been silent for 1.5 × its keepalive is closed (section 3.1.2.10): one timer for all connections, on monotonic
 * time. Aedes' timer per connection would fire after a stall of the process before the bytes that wait are read.
 */
import type { Connection } from '../connection.ts';

/** A cut cable is seen within 1.5 × keepalive and this. Milliseconds. */
export const tickMs = 250;
/** A tick that comes so late says that the process, not the client, was away. */
const stallMs = 1000;

export class KeepaliveWatch {
  readonly counts = { timedOut: 0, frozen: 0, stalls: 0 };
  private readonly connections: ReadonlySet<Connection>;
  private readonly drainMs: number;
  private readonly now: () => number;
  private readonly timer: NodeJS.Timeout;
  /** Replaced, and still here at the tick before. */
  private readonly overdue = new WeakSet<Connection>();
  private last: number;

  constructor(connections: ReadonlySet<Connection>, drainMs: number, now: () => number) {
    this.connections = connections;
    this.drainMs = drainMs;
    this.now = now;
    this.last = now();
    this.timer = setInterval(() => this.tick(), tickMs);
  }

  close(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const now = this.now();
    const late = now - this.last - tickMs;
    this.last = now;
    if (late > stallMs) {
      this.counts.stalls++;
      for (const connection of this.connections) {
        connection.lastHeard = now;
        connection.outgoing.lastProgress = now;
      }
      return;
    }
    let silent = false;
    for (const connection of this.connections) {
      if (connection.replaced) this.closeReplaced(connection);
      else if (this.isSilent(connection, now)) silent = true;
      else if (connection.outgoing.unsent > 0 && now - connection.outgoing.lastProgress > this.drainMs) {
        this.counts.frozen++;
        connection.fail('it takes nothing of what it is sent');
      }
    }
    // What has arrived and was not read yet is read first.
    if (silent) setImmediate(() => setImmediate(() => this.closeSilent()));
  }

  /**
   * Aedes closes who was replaced, at once. But of two newcomers in one moment it knows only the second afterwards: the
   * first would stay for ever, unheard.
   */
  private closeReplaced(connection: Connection): void {
    if (this.overdue.has(connection)) connection.destroy();
    else this.overdue.add(connection);
  }

  private closeSilent(): void {
    const now = this.now();
    for (const connection of this.connections) {
      if (!this.isSilent(connection, now)) continue;
      this.counts.timedOut++;
      connection.fail('keep alive timeout');
    }
  }

  private isSilent({ silenceMs, lastHeard, reading, ready }: Connection, now: number): boolean {
    return ready && silenceMs > 0 && !reading.held && now - lastHeard > silenceMs;
  }
}
