/**
 * The clock that leases are counted on: since the machine's start, suspended time included (/proc/uptime is
 * CLOCK_BOOTTIME), and read alike by agent, burner and watchdog. Where there is none (macOS, Android) the agent's own
 * monotonic clock has to do, and the watchdog counts what it sleeps and looks at the wall clock.
 */
import { readFileSync } from 'node:fs';
import { bootId } from '../reconcile/services/processes.ts';

export interface BootClock {
  /** ms */
  now(): number;
  /** Names this start of the machine; `-`: nobody knows, and nothing of before may be relied on. */
  readonly boot: string;
  /** Whether others on this machine read the same. */
  readonly shared: boolean;
}

const uptime = (): number | undefined => {
  try {
    const seconds = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
    return Number.isFinite(seconds) ? seconds * 1000 : undefined;
  } catch {
    return undefined;
  }
};

export function bootClock(): BootClock {
  const boot = bootId();
  if (uptime() === undefined || boot === 'unknown') return { now: () => performance.now(), boot: '-', shared: false };
  let last = 0;
  return {
    now() {
      last = Math.max(last, uptime() ?? last);
      return last;
    },
    boot,
    shared: true,
  };
}
