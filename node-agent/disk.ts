/** What an agent keeps on its own disk, behind a seam: small, synchronous, and crash-safe (written beside, renamed over). */
export interface AgentMemory {
  /** The node's id, once decided kept for ever. */
  readonly node: string;
  /** Random, made once per installation. */
  readonly inst: string;
  /** Epochs up to here are used up; reserved in blocks so that not every CONNECT costs a sync. */
  readonly epochCeiling: number;
  /** The cluster it joined: fingerprint and public key. */
  readonly cluster?: { readonly fingerprint: string; readonly key: string };
}

export interface AgentDisk {
  load(): AgentMemory | undefined;
  /** Synced: it is on stable storage on return. Throws with one sentence where it cannot be written. */
  save(memory: AgentMemory): void;
  /** The last `want` obeyed, its verified text without the signature. */
  loadWant(): string | undefined;
  /** Written and renamed, not synced: it survives a killed agent; after a power cut the broker sends it again. */
  saveWant(text: string): void;
}
