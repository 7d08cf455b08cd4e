/** What the properties see of a machine: its reconciler and its host, with somebody who looks on. */
import type { Host } from '../../node-agent/reconcile/host.ts';
import type { Document, ReconcilerApi } from '../../node-agent/reconcile/reconciler.ts';
import type { Service } from '../../shared/schemas/service.ts';
import type { Machine, MachineEyes } from './machine.ts';
import type { World } from './world.ts';

/** The properties hear of every document it obeys and of every restart. */
export function watchedReconciler(
  machine: Machine,
  world: World,
  eyes: MachineEyes,
  reconciler: ReconcilerApi,
): ReconcilerApi {
  const { start, apply, restart } = {
    start: reconciler.start.bind(reconciler),
    apply: reconciler.apply.bind(reconciler),
    restart: reconciler.restart.bind(reconciler),
  };
  return Object.assign(reconciler, {
    start: (document: Document | undefined, handlers: Parameters<ReconcilerApi['start']>[1]) => {
      if (document) eyes.applying(machine, document, true);
      else eyes.reset(machine);
      start(document, handlers);
    },
    apply: (document: Document) => {
      world.note(machine.name, `obeys rev ${document.rev}: ${Object.keys(document.services).join(' ')}`);
      eyes.applying(machine, document, false);
      apply(document);
    },
    restart: (service: string, done: (error?: string) => void) => {
      eyes.restarting(machine, service);
      restart(service, done);
    },
  });
}

/** The properties hear of what is started and stopped; what the world breaks on purpose is broken here. */
export function watchedHost(machine: Machine, world: World, eyes: MachineEyes, host: Host): Host {
  const { simulated, name } = machine;
  return {
    adopt: (handlers, done) => {
      if (world.breaks === 'killing-adoption') {
        for (const process of simulated.processes.values()) {
          if (!process.running) continue;
          eyes.stopping(machine, process.unit);
          simulated.kill(process.unit, { signal: 'TERM' });
        }
      }
      host.adopt(handlers, done);
    },
    start: (unit, done) => {
      world.note(name, `start ${unit.service}: ${runOf(unit.spec)}`);
      host.start(unit, done);
      if (world.breaks === 'double-start') {
        simulated.start({ ...unit, unit: `${unit.unit.slice(0, 31)}f` });
      }
      for (const service of simulated.twins()) world.violate('twin', `${name} runs two of ${service}`);
    },
    stop: (unit, signal, graceMs, done) => {
      const process = simulated.processes.get(unit);
      world.note(name, `stop ${process?.service ?? unit}: ${process ? runOf(process.spec) : 'gone'}`);
      eyes.stopping(machine, unit);
      host.stop(unit, signal, graceMs, done);
    },
    adjust: (unit, spec, done) => host.adjust(unit, spec, done),
    note: unit => host.note(unit),
    dim: (unit, cores) => host.dim(unit, cores),
    discard: unit => host.discard(unit),
    tail: (unit, lines) => host.tail(unit, lines),
    follow: (unit, on, fromStart) => host.follow(unit, on, fromStart),
    close: () => host.close(),
  };
}

export const runOf = (spec: Service): string => (typeof spec.run === 'string' ? spec.run : (spec.run ?? []).join(' '));
