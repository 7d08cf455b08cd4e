/** An {@link AgentDisk} of a simulated node: forgets everything with its process. */
import type { AgentDisk, AgentMemory, SafeModeMemory } from './disk.ts';

export function createMemoryDisk(): AgentDisk {
  let memory: AgentMemory | undefined;
  let want: string | undefined;
  let safeMode: SafeModeMemory = { ends: 0, safe: false };
  return {
    load: () => memory,
    save(next) {
      memory = next;
    },
    loadWant: () => want,
    saveWant(text) {
      want = text;
    },
    loadSafeMode: () => safeMode,
    saveSafeMode(next) {
      safeMode = next;
    },
  };
}
