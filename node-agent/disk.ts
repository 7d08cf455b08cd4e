import type { SafeModeDisk } from './safe-mode.ts';

/** What an agent keeps on its own disk, behind a seam: small, synchronous, and crash-safe (written beside, renamed over). */
export interface AgentMemory {
  /** The node's id, once decided kept for ever. */
  readonly node: string;
  /** The id is the host name's, which another host may have too: nobody chose it. */
  readonly defaulted?: boolean;
  /** Random, made once per installation. */
  readonly inst: string;
  /** Epochs up to here are used up; reserved in blocks so that not every CONNECT costs a sync. */
  readonly epochCeiling: number;
  /** The cluster it joined: fingerprint and public key. */
  readonly cluster?: { readonly fingerprint: string; readonly key: string };
}

/** How often the agent ended unexpectedly soon after its start, and whether somebody asked for safe mode. */
export interface SafeModeMemory {
  readonly ends: number;
  readonly safe: boolean;
}

export interface AgentDisk extends SafeModeDisk {
  /** Throws with one sentence where there is something that cannot be read: nothing is made up in its place. */
  load(): AgentMemory | undefined;
  /** Synced: it is on stable storage on return. Throws with one sentence where it cannot be written. */
  save(memory: AgentMemory): void;
  /** The last `want` obeyed, its verified text without the signature; empty after the node was forgotten. Throws where it is unreadable. */
  loadWant(): string | undefined;
  /** Written and renamed, not synced: it survives a killed agent; after a power cut the broker sends it again. */
  saveWant(text: string): void;
}
