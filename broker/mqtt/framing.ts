/**
 * Cuts a byte stream into MQTT packets (section 2.2: one byte, a length of one to four bytes, so many bytes), without a
 * copy where a packet arrived in one piece. A length above the limit is refused before its bytes are collected.
 */
export interface FrameSink {
  /** The packet is `chunk` from `start` to `end`; what follows the length starts at `body`. @returns false to stop here. */
  frame(chunk: Buffer, start: number, body: number, end: number): boolean;
  /** Nothing may be fed any more. */
  broken(why: string, tooLarge: boolean): void;
}

export class Framer {
  /** Longest packet, header included. */
  limit: number;
  /** What comes is kept, and not cut, until `again`. */
  hold = false;
  private parts: Buffer[] = [];
  private have = 0;
  private need = 0;
  private readonly sink: FrameSink;

  constructor(limit: number, sink: FrameSink) {
    this.limit = limit;
    this.sink = sink;
  }

  /** Bytes of packets that are not complete, or were left when the sink said stop. */
  get waiting(): number {
    return this.have;
  }

  feed(data: Buffer): void {
    let chunk = data;
    if (this.have > 0) {
      this.parts.push(data);
      this.have += data.length;
      if (this.have < this.need) return;
      chunk = Buffer.concat(this.parts, this.have);
    }
    this.cut(chunk);
  }

  /** Goes on with what was left. */
  again(): void {
    this.hold = false;
    if (this.have > 0) this.cut(Buffer.concat(this.parts, this.have));
  }

  private cut(chunk: Buffer): void {
    const size = chunk.length;
    let at = 0;
    let need = 0;
    let more = true;
    while (more && !this.hold && size - at >= 2) {
      let body = at + 1;
      let length = 0;
      let factor = 1;
      let byte = 128;
      while (byte >= 128 && body < size && body < at + 5) {
        byte = chunk[body++] as number;
        length += (byte & 127) * factor;
        factor *= 128;
      }
      if (byte >= 128) {
        if (body === at + 5) {
          this.sink.broken('a packet length of more than four bytes', false);
          return;
        }
        break;
      }
      const end = body + length;
      if (end - at > this.limit) {
        this.sink.broken(`a packet of ${end - at} bytes; at most ${this.limit} are taken`, true);
        return;
      }
      if (end > size) {
        need = end - at;
        break;
      }
      more = this.sink.frame(chunk, at, body, end);
      at = end;
    }
    this.need = need;
    if (at === size) {
      this.parts = [];
      this.have = 0;
      return;
    }
    // A few bytes of a next packet do not keep the whole chunk in memory.
    const rest = at === 0 ? chunk : size - at < 1024 ? Buffer.from(chunk.subarray(at)) : chunk.subarray(at);
    this.parts = [rest];
    this.have = rest.length;
  }
}
