/** The reconciler of a real machine, with everything that it looks after. */
import { join } from 'node:path';
import { createFetcher } from './artifacts/fetcher.ts';
import type { SupervisorAt } from './artifacts/supervisor-at.ts';
import { createReconciler } from './reconcile/index.ts';
import type { ReconcilerApi } from './reconcile/reconciler.ts';
import { hideSecrets } from './reconcile/services/hidden-output.ts';
import { createCaretaker } from './reconcile/services/real-caretaker.ts';
import { createRealHost } from './reconcile/services/real-host.ts';
import { createSecrets } from './reconcile/services/secrets.ts';
import type { Surroundings } from './run-agent.ts';
import { findInstallation } from './update/installation.ts';
import { Updater } from './update/updater.ts';

export interface RealReconciler extends ReconcilerApi {
  /** Whether the node has its connection. */
  connected(yes: boolean): void;
}

/** @param node its id, which may change once. */
export function createRealReconciler(
  around: Surroundings,
  node: () => string,
  supervisor: () => SupervisorAt | undefined,
): RealReconciler {
  const { data, ver, clock, random, log, restart } = around;
  const secrets = createSecrets(data, node);
  const host = hideSecrets(createRealHost({ folder: data, log, starting: { secrets } }), secrets);
  const caretaker = createCaretaker({ folder: data, log, secrets });
  const fetching = createFetcher({ folder: join(data, 'cache'), clock, random, log, supervisor });
  const installation = findInstallation(data, process.env);
  const updater = new Updater({ clock, log, ver, installation, fetching, restart });
  const reconciler = createReconciler({ host, caretaker, clock, random, sides: [updater] });
  return {
    start: (document, handlers) => reconciler.start(document, handlers),
    apply: document => reconciler.apply(document),
    attempted: () => reconciler.attempted(),
    items: () => reconciler.items(),
    restart: (service, done) => reconciler.restart(service, done),
    follow: (service, ...rest) => reconciler.follow(service, ...rest),
    stopAll: done => reconciler.stopAll(done),
    close() {
      reconciler.close();
      fetching.close();
    },
    connected: yes => updater.connected(yes),
  };
}
