/**
 * Which packet ids are in use, 1 to 65,535 (MQTT 3.1.1, section 2.3.1): a short list for most connections, one bit each
 * for those that ever had more under way. What a Set's entries lie in is replaced every few dozen ids, and the old one
 * points to the new one: once one of them is in V8's old generation, all that follow are collected there, too. That was
 * a tenth of what a delivery cost, for whoever had been connected slowly.
 */

/** Nodes seldom have more under way; 8 kB for each of thousands would be a third of what they cost. */
const mostListed = 16;

export class PacketIds {
  size = 0;
  private readonly listed: number[] = [];
  private bits: Uint32Array | undefined;

  has(id: number): boolean {
    return this.bits ? isSet(this.bits, id) : this.listed.includes(id);
  }

  /** @param id not in use */
  add(id: number): void {
    this.size++;
    if (!this.bits) {
      if (this.listed.length < mostListed) {
        this.listed.push(id);
        return;
      }
      this.bits = new Uint32Array(2048);
      for (const each of this.listed.splice(0)) set(this.bits, each);
    }
    set(this.bits, id);
  }

  /** @returns whether it was in use */
  delete(id: number): boolean {
    if (!(this.bits ? clear(this.bits, id) : this.unlist(id))) return false;
    this.size--;
    return true;
  }

  private unlist(id: number): boolean {
    const { listed } = this;
    const at = listed.indexOf(id);
    if (at < 0) return false;
    const last = listed.pop() as number;
    if (at < listed.length) listed[at] = last;
    return true;
  }
}

const isSet = (bits: Uint32Array, id: number): boolean => ((bits[id >>> 5] as number) & (1 << (id & 31))) !== 0;

function set(bits: Uint32Array, id: number): void {
  bits[id >>> 5] = (bits[id >>> 5] as number) | (1 << (id & 31));
}

function clear(bits: Uint32Array, id: number): boolean {
  if (!isSet(bits, id)) return false;
  bits[id >>> 5] = (bits[id >>> 5] as number) & ~(1 << (id & 31));
  return true;
}
