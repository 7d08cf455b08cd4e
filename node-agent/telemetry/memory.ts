/** Memory from /proc/meminfo (proc(5)). In a container this is the machine's, whatever the cgroup allows. */
import { rounded } from './machine-files.ts';

export interface MemoryUse {
  readonly pct?: number;
  /** Used: what a new program could not have. */
  readonly mb?: number;
  readonly totalMb?: number;
}

export function memoryOf(meminfo: string | undefined): MemoryUse {
  const kb = (key: string): number | undefined => {
    const match = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(meminfo ?? '');
    return match ? Number(match[1]) : undefined;
  };
  const total = kb('MemTotal');
  if (!total) return {};
  // Kernels before 3.14 do not say what is available.
  const available = kb('MemAvailable') ?? (kb('MemFree') ?? 0) + (kb('Buffers') ?? 0) + (kb('Cached') ?? 0);
  const used = Math.max(0, total - available);
  return { pct: rounded((used / total) * 100), mb: Math.round(used / 1024), totalMb: Math.round(total / 1024) };
}
