/** An {@link AgentDisk} of a simulated node: forgets everything with its process. */
import type { AgentDisk, AgentMemory } from './disk.ts';

export function createMemoryDisk(): AgentDisk {
  let memory: AgentMemory | undefined;
  let want: string | undefined;
  return {
    load: () => memory,
    save(next) {
      memory = next;
    },
    loadWant: () => want,
    saveWant(text) {
      want = text;
    },
  };
}
