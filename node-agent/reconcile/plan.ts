/**
 * The planner: what is, what is wanted -> typed steps. Pure. Every kind of item an agent looks after plans its own steps
 * and names them in {@link StepArguments}; running them in order, once each, is the same for all (run-plan.ts). Services
 * are planned here, packages and files in their folders.
 */
import type { Service } from '../../shared/schemas/service.ts';
import type { FileSteps } from './files/plan.ts';
import type { ExecutorsOf, StepOf } from './kind.ts';
import type { PackageSteps } from './packages/plan.ts';
import { sameProcess, sameService, serviceOf } from './services/spec.ts';

/** Step name -> what it is called with. */
export interface StepArguments extends ServiceSteps, FileSteps, PackageSteps {}

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

export type ServiceStep = StepOf<ServiceSteps>;

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

/** Steps from `is` to `wanted`: stops first, then starts, each in the order of names. The same document again plans nothing. */
export function planServices(
  is: ReadonlyMap<string, ServiceIs>,
  wanted: Readonly<Record<string, Service>>,
): ServiceStep[] {
  const stops: ServiceStep[] = [];
  for (const service of [...is.keys()].sort()) {
    const now = is.get(service);
    if (Object.hasOwn(wanted, service) || now === undefined || (now.target === undefined && now.settled)) continue;
    stops.push({ id: `services/${service}`, step: 'service.stop', args: { service }, after: [] });
  }
  const starts: ServiceStep[] = [];
  for (const service of Object.keys(wanted).sort()) {
    const said = wanted[service];
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
