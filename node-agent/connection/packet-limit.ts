/**
 * Watches MQTT packets on their way in (MQTT 3.1.1, section 2.2). MQTT.js collects a packet of up to 256 MB before anybody
 * is asked, and keeps every message at QoS 2 until its exchange ends, 65,535 of them; on a broker that is not ours anyone
 * may send such. An agent subscribes at QoS 1, so that no message comes at QoS 2.
 */
const publish = 3;
const qos2 = 0b100;

export class PacketLimit {
  readonly #most: number;
  /** Bytes of the packet's body that are still to come. */
  #body = 0;
  /** Bytes of its length read so far; -1 before its first byte. */
  #lengthBytes = -1;
  #length = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns false when a packet above the limit, a message at QoS 2, or no MQTT at all, has begun. */
  accept(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body > 0) {
        const step = Math.min(this.#body, chunk.length - at);
        this.#body -= step;
        at += step;
      } else if (this.#lengthBytes < 0) {
        const first = chunk[at++] ?? 0;
        if (first >> 4 === publish && (first & qos2) !== 0) return false;
        this.#lengthBytes = 0;
        this.#length = 0;
      } else {
        const byte = chunk[at++] ?? 0;
        this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes++;
        if (byte & 0x80) {
          if (this.#lengthBytes === 4) return false;
        } else {
          if (this.#length > this.#most) return false;
          this.#body = this.#length;
          this.#lengthBytes = -1;
        }
      }
    }
    return true;
  }
}
