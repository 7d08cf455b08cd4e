/** A token bucket: so much per second, and so much at once after a rest. Pure; `now` in milliseconds. */
export class Bucket {
  private readonly perMs: number;
  private readonly most: number;
  private level: number;
  private at: number;

  constructor(perSecond: number, atOnce: number, now: number) {
    this.perMs = perSecond / 1000;
    this.most = atOnce;
    this.level = atOnce;
    this.at = now;
  }

  /** Takes, or takes nothing and says no. */
  take(amount: number, now: number): boolean {
    this.fill(now);
    if (this.level < amount) return false;
    this.level -= amount;
    return true;
  }

  /** Takes what has been used already. @returns milliseconds until that is paid for. */
  spend(amount: number, now: number): number {
    this.fill(now);
    this.level -= amount;
    return this.level >= 0 ? 0 : Math.ceil(-this.level / this.perMs);
  }

  private fill(now: number): void {
    if (now > this.at) this.level = Math.min(this.most, this.level + (now - this.at) * this.perMs);
    this.at = now;
  }
}
