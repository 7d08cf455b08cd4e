/**
 * Local time of an IANA time zone, by the system's own tables (`Intl`): days are counted from 1970-01-01 as the calendar
 * on the wall shows them, minutes from the midnight of that day.
 */

/** A moment as the clock on the wall shows it. */
export interface Local {
  /** Calendar days since 1970-01-01. */
  readonly day: number;
  /** 0 to 1439. */
  readonly minute: number;
}

export interface Zone {
  local(wall: number): Local;
  /**
   * The first moment at which the clock shows `day` and at least `minute`, epoch ms. What the clock shows twice counts the
   * first time; what it never shows, because it is put forward, counts from the moment when it is.
   */
  first(day: number, minute: number): number;
}

export const dayMs = 86_400_000;
const minuteMs = 60_000;
/** Zones that are kept ready; a room has one. */
const mostKept = 100;
const kept = new Map<string, Zone>();

/** @throws RangeError where there is no such zone. */
export function zoneOf(name: string): Zone {
  const found = kept.get(name);
  if (found) return found;
  const made = makeZone(name);
  const oldest = kept.size >= mostKept ? kept.keys().next().value : undefined;
  if (oldest !== undefined) kept.delete(oldest);
  kept.set(name, made);
  return made;
}

/** Undefined where this machine knows no such zone: the document may be from one that did. */
export function knownZone(name: string): Zone | undefined {
  try {
    return zoneOf(name);
  } catch {
    return undefined;
  }
}

function makeZone(timeZone: string): Zone {
  const format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
    ...{ timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  /** What the clock shows, as if it were UTC, in whole seconds. */
  const shown = (wall: number): number => {
    const field: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(wall)) field[type] = Number(value);
    const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = field;
    return Date.UTC(year, month - 1, day, hour, minute, second);
  };
  const offset = (wall: number): number => shown(wall) - Math.floor(wall / 1000) * 1000;

  /** The moment between two at which the clock is put forward or back. */
  const turn = (before: number, after: number): number => {
    const old = offset(before);
    let low = Math.floor(before / 1000);
    let high = Math.ceil(after / 1000);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offset(middle * 1000) === old) low = middle;
      else high = middle;
    }
    return high * 1000;
  };

  return {
    local(wall) {
      const at = shown(wall);
      const day = Math.floor(at / dayMs);
      return { day, minute: Math.floor((at - day * dayMs) / minuteMs) };
    },
    first(day, minute) {
      const wanted = day * dayMs + minute * minuteMs;
      const early = offset(wanted - dayMs);
      const late = offset(wanted + dayMs);
      const sooner = wanted - early;
      if (early === late || offset(sooner) === early) return sooner;
      const later = wanted - late;
      return offset(later) === late ? later : turn(wanted - dayMs, wanted + dayMs);
    },
  };
}
