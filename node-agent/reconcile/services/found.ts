/** Adoption: what one service is, going by the units that an earlier agent left. */
import type { FoundUnit, Unit } from '../host.ts';
import type { At, ServiceEffect } from './moves.ts';
import { describeEnd } from './spec.ts';
import { type CurrentUnit, newService, type ServiceState } from './state.ts';

/** Running before ended, then the latest started; the unit's name decides a draw. */
const better = (a: FoundUnit, b: FoundUnit): number =>
  Number(a.exit !== undefined) - Number(b.exit !== undefined) ||
  b.started_ms - a.started_ms ||
  (a.unit < b.unit ? -1 : 1);

const plainUnit = ({ unit, service, spec, restarts, marks }: FoundUnit): Unit => ({
  unit,
  service,
  spec,
  ...(restarts === undefined ? {} : { restarts }),
  ...(marks === undefined ? {} : { marks }),
});

const asCurrent = (found: FoundUnit, at: At): CurrentUnit => ({
  ...plainUnit(found),
  ...(found.pid === undefined ? {} : { pid: found.pid }),
  startedAt: at.now - Math.max(0, at.wall - found.started_ms),
});

/** @param units at least one. The best is kept as found; the others wait as strays for the first document. */
export function foundService(
  service: string,
  units: readonly FoundUnit[],
  at: At,
  effects: ServiceEffect[],
): ServiceState {
  const [kept, ...others] = [...units].sort(better);
  const fresh = { ...newService(service, at.wall), settled: false, held: true };
  if (!kept) return fresh;
  const strays = others.map(other => ({ ...asCurrent(other, at), ended: other.exit !== undefined }));
  const lastRun = Math.max(...units.map(unit => unit.started_ms));
  const state: ServiceState = { ...fresh, strays, restarts: kept.restarts ?? 0, lastRun };
  if (kept.exit !== undefined) {
    const err = kept.exit.code === 0 ? '' : describeEnd(kept.exit, undefined, 1);
    return { ...state, phase: 'ended', last: plainUnit(kept), exit: kept.exit, err };
  }
  const text = `services/${service}: adopted${kept.pid === undefined ? '' : `, process ${kept.pid}`}`;
  effects.push({ do: 'notice', level: 'info', kind: 'adopted', text });
  return {
    ...state,
    phase: 'running',
    current: asCurrent(kept, at),
    since_ms: kept.started_ms,
  };
}
