/** Services get less of the processor than the agent, so that a machine with every core burning still answers. */
import { writeFile } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** Added to the agent's own nice value; 19 is the kernel's last. */
export const nicer = 5;

/**
 * The nice value of one process, inherited by what it starts (`more` is its own limit); and of its session's autogroup (sched(7)): where the
 * kernel shares the processor between sessions first, the nice value alone counts only inside the session. False: it
 * could not be set.
 */
export function lowerPriority(pid: number, more = 0): boolean {
  const nice = Math.min(19, getPriority() + nicer + more);
  try {
    setPriority(pid, nice);
  } catch {
    return false; // Gone already, or somebody made it nicer still.
  }
  // Off the event loop, and of no matter where the kernel has no autogroups.
  writeFile(`/proc/${pid}/autogroup`, String(nice), () => {});
  return true;
}
