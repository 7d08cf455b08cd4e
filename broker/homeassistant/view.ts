/** What Home Assistant is told about: the cluster as the announcements need it, and no more of it. */

/** One room that people made. */
export interface HaRoom {
  readonly id: string;
  /** For people; default: the id. */
  readonly name?: string;
  /** Degrees that may be asked for, °C. Defaults 5 and 30. */
  readonly minC?: number;
  readonly maxC?: number;
  /** It has an outdoor thermometer. */
  readonly outdoor?: boolean;
}

/** Keys of a node's `load` that become sensors. */
export const telemetryKeys = ['cpu_pct', 'mem_pct', 'load1', 'temp_c', 'cpu_mhz', 'jobs'] as const;
export type TelemetryKey = (typeof telemetryKeys)[number];

/** Facts about a machine, as its `info` says them. Text is hostile. */
export interface HaFacts {
  readonly cpu?: string | undefined;
  readonly os?: string | undefined;
  readonly arch?: string | undefined;
  readonly ver?: string | undefined;
  /** Comma-joined, such as `root,cgroup2,reboot`. */
  readonly caps?: string | undefined;
}

/** One node that has a document, online or not. */
export interface HaNode {
  readonly id: string;
  /** Absent: it has not said yet what it is. It is not announced before, and what was announced of it stays. */
  readonly info?: HaFacts;
  /** The room that it stands in. */
  readonly room?: string;
  /** Keys of its loads that it has, or had since the supervisor started. */
  readonly has: ReadonlySet<TelemetryKey>;
  /** Its watts are known: there is a `power`. */
  readonly power: boolean;
  /** Milliseconds between two of these, at most. Default: 10 s. */
  readonly powerEveryMs?: number;
  /** A network card of it is known that can be woken. */
  readonly wakes: boolean;
  /** Milliseconds between two of its loads; absent where that is not known ({@link loadEveryMs}). */
  readonly loadEveryMs?: number;
}

export interface HaView {
  /** Topic base, such as `hearth`. */
  readonly base: string;
  /** Discovery prefix, such as `homeassistant`; `off`: nothing is announced, and what was is cleared. */
  readonly prefix: string;
  /** Version of the supervisor. */
  readonly ver: string;
  /** Fingerprint of the cluster's key, hex: unique ids are made of it. */
  readonly cluster: string;
  /** Where people find the dashboard, http or https. */
  readonly url?: string;
  readonly rooms: readonly HaRoom[];
  readonly nodes: readonly HaNode[];
  /** `watts` is in `<base>/info`, or was since the supervisor started. */
  readonly watts: boolean;
}

/** What a load tells about when it was made. */
type Stamp = { readonly epoch: number; readonly up_s?: number | undefined };

/** Periods that are told apart, s. Coarse, so that a load that is a little late makes no new announcement. */
const periodsS = [10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/**
 * Milliseconds between two loads of a node, by its own clock and not below the truth. Its birth does not tell: where the
 * period is long, only every so manieth of its signs of life is a load.
 * @param before the load before this one; undefined, or of another session: nothing is known.
 * @param known what was known before: it is never lowered, for one that seems quick may be one that was held up.
 */
export function loadEveryMs(load: Stamp, before: Stamp | undefined, known: number | undefined): number | undefined {
  if (before?.epoch !== load.epoch || before.up_s === undefined || load.up_s === undefined) return known;
  const spanS = load.up_s - before.up_s;
  // A twentieth of jitter.
  const period = spanS > 0 ? periodsS.find(one => one >= spanS * 0.95) : undefined;
  return period === undefined ? known : Math.max(known ?? 0, period * 1000);
}
