/** Packet ids of QoS 2 messages that were taken and not released yet (section 4.3.3): a repetition is no second message. */
export class ExactlyOnce {
  private readonly ids = new Set<number>();
  private readonly most: number;

  constructor(most: number) {
    this.most = most;
  }

  open(id: number): 'new' | 'known' | 'full' {
    if (this.ids.has(id)) return 'known';
    if (this.ids.size >= this.most) return 'full';
    this.ids.add(id);
    return 'new';
  }

  release(id: number): void {
    this.ids.delete(id);
  }
}
