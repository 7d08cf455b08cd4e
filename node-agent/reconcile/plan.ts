/**
 * The planner: what is, what is wanted -> typed steps. Pure. Every kind of thing an agent looks after (services now,
 * packages and files later) adds its steps to {@link StepArguments}, its part to {@link Is} and {@link Wanted}, and its
 * executors; running them in order, once each, and remembering how each went is the same for all (run-plan.ts).
 *
 * To add a kind of step: its arguments here, its planning in {@link plan}, its executor where createReconciler makes them.
 */
import type { Service } from '../../shared/schemas/service.ts';
import type { ExecutorsOf, StepOf } from './kind.ts';
import { sameProcess, sameService, serviceOf } from './services/spec.ts';

/** Step name -> what it is called with. */
export interface StepArguments extends ServiceSteps {}

export interface ServiceSteps {
  /** Nothing of the service runs, or what runs is already that: make sure it does. */
  'service.start': { readonly service: string; readonly spec: Service };
  /** Another process is wanted: the old one ends, then the new one starts. */
  'service.replace': { readonly service: string; readonly spec: Service };
  /** Only how to restart or stop it changed: the process stays. */
  'service.update': { readonly service: string; readonly spec: Service };
  'service.stop': { readonly service: string };
}
export type StepName = keyof StepArguments;

/** One thing to do, attempted once. */
export type Step = StepOf<StepArguments>;
export type Executors = ExecutorsOf<StepArguments>;

/** A service as far as planning goes. */
export interface ServiceIs {
  /** What it was last told to be; undefined: to be gone. For an adopted one, what it was started as. */
  readonly target: Service | undefined;
  /** False: told, but not attempted yet, or adopted and not yet confirmed by a document. */
  readonly settled: boolean;
}

export interface Is {
  readonly services: ReadonlyMap<string, ServiceIs>;
}

export interface Wanted {
  readonly services: Readonly<Record<string, Service>>;
}

/** Steps from `is` to `wanted`: stops first, each kind in the order of names. The same document again plans nothing. */
export function plan(is: Is, wanted: Wanted): Step[] {
  return planServices(is.services, new Map(Object.entries(wanted.services)));
}

function planServices(is: Is['services'], wanted: ReadonlyMap<string, Service>): Step[] {
  const stops: StepOf<ServiceSteps>[] = [];
  for (const service of [...is.keys()].sort()) {
    const now = is.get(service);
    if (wanted.has(service) || now === undefined || (now.target === undefined && now.settled)) continue;
    stops.push({ id: `services/${service}`, step: 'service.stop', args: { service }, after: [] });
  }
  const starts: StepOf<ServiceSteps>[] = [];
  for (const service of [...wanted.keys()].sort()) {
    const said = wanted.get(service);
    if (said === undefined) continue;
    const spec = serviceOf(said);
    const now = is.get(service);
    const step = stepFor(now, spec);
    if (step) starts.push({ id: `services/${service}`, step, args: { service, spec }, after: [] });
  }
  // A stop may wait out a whole grace period: nothing that starts waits for it.
  return [...stops, ...starts];
}

function stepFor(now: ServiceIs | undefined, spec: Service): Exclude<keyof ServiceSteps, 'service.stop'> | undefined {
  if (now?.target === undefined) return 'service.start';
  if (!sameProcess(now.target, spec)) return 'service.replace';
  if (!now.settled) return 'service.start';
  return sameService(now.target, spec) ? undefined : 'service.update';
}
