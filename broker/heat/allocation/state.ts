/** What the allocator remembers of its machines: JSON, bounded, ages by the monotonic clock it is called with. Pure. */

export interface NodeRecord {
  /** Gives heat. */
  readonly on: boolean;
  /** When that began; absent: never was otherwise. */
  readonly since?: number;
  /** It was stopped because it was not needed: nothing is wrong with it. */
  readonly spared?: true;
  /** What it was told last: busy cores, everything counted. */
  readonly cores: number;
  /** What it draws then by its model, with the cores that are busy anyway. */
  readonly modelW: number;
  /** When that last changed by much: what is metered soon after says nothing. */
  readonly movedAt: number;
  /** Starts of the last 24 h. */
  readonly starts: readonly number[];
  /** Watts that it draws above its model, as metered, slowly. */
  readonly bias: number;
  /** When there was useful work last. */
  readonly workedAt?: number;
  readonly seenAt: number;
}

export interface RoomRecord {
  /** Since when a little is missing that one more could give. */
  readonly lackAt?: number;
  /** Since when one of its running machines could be spared. */
  readonly spareAt?: number;
  /** Since when one that is off has useful work while those that run have none. */
  readonly workAt?: number;
}

export interface AllocationState {
  /** Of the last call; absent: there was none. */
  readonly at?: number;
  /** Starts that may happen now; comes back with time. */
  readonly starts: number;
  readonly nodes: Readonly<Record<string, NodeRecord>>;
  readonly rooms: Readonly<Record<string, RoomRecord>>;
}

export const dayMs = 86_400_000;
const mostRecords = 10_000;
/** Starts remembered of one machine; there are never many more than four in a day. */
const mostStarts = 16;
/** A machine that is not named for so long has lost its lease. */
const absentMs = 60_000;
/** A pause in which nobody renewed leases. */
const pauseMs = 15 * 60_000;

export const freshAllocation = (): AllocationState => ({ starts: Number.MAX_SAFE_INTEGER, nodes: {}, rooms: {} });

export const freshRecord = (now: number): NodeRecord => ({
  on: false,
  cores: 0,
  modelW: 0,
  movedAt: now,
  starts: [],
  bias: 0,
  seenAt: now,
});

function moved(record: NodeRecord, by: number): NodeRecord {
  return {
    ...record,
    movedAt: record.movedAt + by,
    seenAt: record.seenAt + by,
    starts: record.starts.map(at => at + by),
    ...(record.since === undefined ? {} : { since: record.since + by }),
    ...(record.workedAt === undefined ? {} : { workedAt: record.workedAt + by }),
  };
}

/** The same with every age as it was, by a clock that counts from elsewhere. */
export function movedState(state: AllocationState, by: number): AllocationState {
  const nodes: Record<string, NodeRecord> = {};
  for (const [node, record] of Object.entries(state.nodes)) nodes[node] = moved(record, by);
  const rooms: Record<string, RoomRecord> = {};
  for (const [room, { lackAt, spareAt, workAt }] of Object.entries(state.rooms))
    rooms[room] = {
      ...(lackAt === undefined ? {} : { lackAt: lackAt + by }),
      ...(spareAt === undefined ? {} : { spareAt: spareAt + by }),
      ...(workAt === undefined ? {} : { workAt: workAt + by }),
    };
  return { ...state, nodes, rooms, ...(state.at === undefined ? {} : { at: state.at + by }) };
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const maybe = (value: unknown) => value === undefined || isNumber(value);
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function isRecord(value: unknown): value is NodeRecord {
  return (
    isObject(value) &&
    typeof value.on === 'boolean' &&
    [value.cores, value.modelW, value.movedAt, value.bias, value.seenAt].every(isNumber) &&
    maybe(value.since) &&
    (value.spared === undefined || value.spared === true) &&
    maybe(value.workedAt) &&
    Array.isArray(value.starts) &&
    value.starts.length <= mostStarts &&
    value.starts.every(isNumber)
  );
}

/** Whose lease ended unrenewed. */
const lapsed = (record: NodeRecord, now: number): NodeRecord =>
  record.on ? { ...record, on: false, since: record.seenAt + absentMs, cores: 0, modelW: 0, movedAt: now } : record;

/**
 * A state that was written as JSON, for a clock that may count from elsewhere since. Records that are none are left out.
 * @param now by the new clock
 * @param awayMs how long nobody called, if that is known: the machines lost their leases meanwhile
 */
export function loadAllocation(value: unknown, now: number, awayMs = 0): AllocationState {
  if (!isObject(value) || !isNumber(value.at) || !isObject(value.nodes)) return freshAllocation();
  const nodes: Record<string, NodeRecord> = {};
  for (const [node, record] of Object.entries(value.nodes).slice(0, mostRecords))
    if (isRecord(record)) nodes[node] = record;
  const rooms: Record<string, RoomRecord> = {};
  if (isObject(value.rooms))
    for (const [room, record] of Object.entries(value.rooms).slice(0, mostRecords))
      if (isObject(record) && maybe(record.lackAt) && maybe(record.spareAt) && maybe(record.workAt))
        rooms[room] = record;
  const starts = isNumber(value.starts) && value.starts >= 0 ? value.starts : 0;
  const away = isNumber(awayMs) && awayMs > 0 ? awayMs : 0;
  const by = now - away - value.at;
  const state = movedState({ at: value.at, starts, nodes, rooms }, by);
  if (away <= absentMs) return state;
  const lapsedNodes = Object.entries(state.nodes).map(([node, record]) => [node, lapsed(record, now)] as const);
  return { ...state, nodes: Object.fromEntries(lapsedNodes) };
}

/** A clock that went back is taken for another clock: every age stays as it was. */
export const stateNow = (state: AllocationState, now: number): AllocationState =>
  state.at !== undefined && state.at > now ? movedState(state, now - state.at) : state;

/**
 * The records as they are now: starts of more than a day ago forgotten, machines that nobody named for a minute off since
 * then, those gone for a day forgotten.
 */
export function recordsNow(state: AllocationState, now: number): Map<string, NodeRecord> {
  const paused = state.at !== undefined && now - state.at > pauseMs;
  const records = new Map<string, NodeRecord>();
  for (const [node, record] of Object.entries(state.nodes).sort(([, a], [, b]) => b.seenAt - a.seenAt)) {
    if (now - record.seenAt > dayMs || records.size >= mostRecords) continue;
    const absent = state.at !== undefined && record.seenAt < state.at && now - record.seenAt > absentMs;
    const starts = record.starts.filter(at => now - at < dayMs);
    records.set(node, { ...(paused || absent ? lapsed(record, now) : record), starts });
  }
  return records;
}

/** Switched over now. */
export function turned({ spared: _, ...record }: NodeRecord, on: boolean, now: number): NodeRecord {
  return { ...record, on, since: now, starts: on ? [...record.starts, now].slice(-mostStarts) : record.starts };
}
