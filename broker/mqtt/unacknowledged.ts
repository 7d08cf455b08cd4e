import type { Outgoing } from './outgoing.ts';
import { PacketIds } from './packet-ids.ts';
import type { Encoded } from './packets.ts';

/**
 * QoS 1 packets to one client: at most `window` are unacknowledged (MQTT 5, Receive Maximum), the others wait in order.
 * They count as the connection's pending bytes; who hands them in bounds those. Nothing is sent twice: a session ends
 * with its connection.
 */
export class Unacknowledged {
  window: number;
  private readonly ids = new PacketIds();
  /** From `next` on. */
  private waiting: Encoded[] = [];
  private next = 0;
  private ownId = 0;
  private readonly outgoing: Outgoing;

  constructor(outgoing: Outgoing, window: number) {
    this.outgoing = outgoing;
    this.window = window;
  }

  send(packet: Encoded): void {
    if (this.ids.size >= this.window || this.waiting.length > 0) {
      this.waiting.push(packet);
      this.outgoing.count(packet.frame.length);
    } else this.transmit(packet);
  }

  acknowledged(id: number): void {
    if (!this.ids.delete(id) || this.waiting.length === 0) return;
    while (this.next < this.waiting.length && this.ids.size < this.window) {
      const packet = this.waiting[this.next++] as Encoded;
      this.outgoing.count(-packet.frame.length);
      this.transmit(packet);
    }
    // Removing from the front costs the length of the rest: done seldom.
    if (this.next < this.waiting.length && this.next < 1024) return;
    this.waiting.splice(0, this.next);
    this.next = 0;
  }

  close(): void {
    this.waiting = [];
    this.next = 0;
  }

  /** The packet's id is one for all its receivers; where it is in use here, this one gets its own. */
  private transmit(packet: Encoded): void {
    const { frame, idAt } = packet;
    const id = frame.readUInt16BE(idAt);
    if (id !== 0 && !this.ids.has(id)) {
      this.ids.add(id);
      this.outgoing.push(frame);
      return;
    }
    const own = Buffer.from(frame);
    do this.ownId = this.ownId === 65_535 ? 1 : this.ownId + 1;
    while (this.ids.has(this.ownId));
    own.writeUInt16BE(this.ownId, idAt);
    this.ids.add(this.ownId);
    this.outgoing.push(own);
  }
}
