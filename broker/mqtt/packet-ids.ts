/**
 * Which packet ids are in use, 1 to 65,535 (MQTT 3.1.1, section 2.3.1), one bit each. What a Set's entries lie in is
 * replaced every few dozen ids, and the old one points to the new one: once one of them is in V8's old generation, all
 * that follow are collected there, too. That was a tenth of what a delivery cost, for whoever had been connected slowly.
 */
export class PacketIds {
  size = 0;
  /** 8 kB, for those only who get anything at QoS 1. */
  private bits: Uint32Array | undefined;

  has(id: number): boolean {
    return this.bits !== undefined && ((this.bits[id >>> 5] as number) & (1 << (id & 31))) !== 0;
  }

  /** @param id not in use */
  add(id: number): void {
    this.bits ??= new Uint32Array(2048);
    this.bits[id >>> 5] = (this.bits[id >>> 5] as number) | (1 << (id & 31));
    this.size++;
  }

  /** @returns whether it was in use */
  delete(id: number): boolean {
    if (!this.bits || !this.has(id)) return false;
    this.bits[id >>> 5] = (this.bits[id >>> 5] as number) & ~(1 << (id & 31));
    this.size--;
    return true;
  }
}
