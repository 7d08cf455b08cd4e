/** What the real host remembers of one unit. */
import type { Limits, Service } from '../../../shared/schemas/service.ts';
import type { Becoming } from './becoming.ts';
import { isMain, isShim } from './members.ts';
import type { OutputFile } from './output-file.ts';
import { readProcess } from './processes.ts';
import type { Stopping } from './stopping.ts';
import type { RunRecord } from './unit-folder.ts';

/** The end of a unit under way. */
export type Ending = Pick<Stopping, 'poke' | 'abandon'>;

/** A unit that runs, is being stopped, or has ended and is not discarded yet. */
export interface Live {
  readonly unit: string;
  /** Its version 2 group. */
  cgroup: string | undefined;
  /** Its main process is a container's client. */
  readonly image: boolean;
  nice: number;
  /** Groups that limit it. */
  groups: string[];
  /** As given to the groups. */
  limits: Limits;
  /** What of its limits is not enforced. */
  note: string | undefined;
  /** Cores that it may use for now, 0: frozen; and the quota that follows, percent of a core. */
  dimmed: number | undefined;
  dimmedPct: number | undefined;
  /** How often it was said. */
  timesDimmed: number;
  /** Bytes of output above which the file is cut. */
  outputLimit: number;
  run: RunRecord | undefined;
  /** The shim's number while it is this agent's child. */
  shimPid: number | undefined;
  output: OutputFile | undefined;
  follow: { readonly fromStart: boolean } | undefined;
  /** Called with the start's outcome. */
  started: ((error?: string, pid?: number) => void) | undefined;
  becoming: Becoming | undefined;
  ended: boolean;
  stopping: Ending | undefined;
  letGo: (() => void) | undefined;
}

export const shimLost = 'nobody saw how: its shim was ended by somebody else';

/** Whether the unit's main process runs; the shim alone knows until there is a record. */
export function runs(live: Live): boolean {
  const { run } = live;
  if (!run) return true;
  const shim = readProcess(run.main.parent);
  return (shim !== undefined && isShim(shim, run)) || isAliveMain(run);
}

/** What a shell says when the shim cannot become the service, without where in the shim it says so. */
export const plainLine = (line: string): string =>
  line
    .replace(/^.*?\/shim-[0-9a-f]{8}\.sh: (?:line )?(?:\d+: )?(?:exec: )?/, '')
    .replace(/^\S*sh: (?:exec: line \d+|(?:line )?\d+: exec): /, '');

const isAliveMain = (run: RunRecord): boolean => {
  const main = readProcess(run.main.pid);
  return main !== undefined && isMain(main, run);
};

export const outputLimitOf = ({ log_mb }: Pick<Service, 'log_mb'>): number => (log_mb ?? 1) * 1024 * 1024;

export const idle = (unit: string, spec: Service, cgroup: string | undefined): Live => ({
  unit,
  cgroup,
  image: spec.image !== undefined,
  nice: spec.limits?.nice ?? 0,
  groups: [],
  limits: {},
  note: undefined,
  dimmed: undefined,
  dimmedPct: undefined,
  timesDimmed: 0,
  outputLimit: outputLimitOf(spec),
  run: undefined,
  shimPid: undefined,
  output: undefined,
  follow: undefined,
  started: undefined,
  becoming: undefined,
  ended: false,
  stopping: undefined,
  letGo: undefined,
});
