/** The reconciler of a real machine, with everything that it looks after. */
import { join } from 'node:path';
import { createFetcher } from './artifacts/fetcher.ts';
import type { Fetching } from './artifacts/fetching.ts';
import type { SupervisorAt } from './artifacts/supervisor-at.ts';
import { createReconciler } from './reconcile/index.ts';
import { realFiles, realPackages, realUpgrade } from './reconcile/real-kinds.ts';
import type { ReconcilerApi } from './reconcile/reconciler.ts';
import { hideSecrets } from './reconcile/services/hidden-output.ts';
import { createCaretaker } from './reconcile/services/real-caretaker.ts';
import { createRealHost } from './reconcile/services/real-host.ts';
import { createSecrets } from './reconcile/services/secrets.ts';
import { checksSide } from './reconcile/side-checks.ts';
import { Upgrading } from './reconcile/upgrading.ts';
import type { Surroundings } from './run-agent.ts';
import { findInstallation } from './update/installation.ts';
import { Updater } from './update/updater.ts';

export interface RealReconciler extends ReconcilerApi {
  /** The one way by which files come to this machine. */
  readonly fetching: Fetching;
  /** Whether the node has its connection. */
  connected(yes: boolean): void;
  /** `do/upgrade`. */
  upgrade(done: (error?: string) => void): void;
}

export interface NodeFacts {
  /** Its id, which may change once. */
  node(): string;
  /** As on `info`: facts about the machine, and what the cluster says about it. */
  facts(): Readonly<Record<string, unknown>>;
  /** Where `artifact:` comes from. */
  supervisor(): SupervisorAt | undefined;
}

export function createRealReconciler(around: Surroundings, { node, facts, supervisor }: NodeFacts): RealReconciler {
  const { data, ver, clock, random, log, restart } = around;
  const secrets = createSecrets(data, node);
  const host = hideSecrets(createRealHost({ folder: data, log, starting: { secrets } }), secrets);
  const caretaker = createCaretaker({ folder: data, log, secrets });
  const fetching = createFetcher({ folder: join(data, 'cache'), clock, random, log, supervisor });
  const installation = findInstallation(data, process.env);
  const kinds = { data, clock, random, log, fetching, facts: () => templateFacts(node(), facts()) };
  const updater = new Updater({ clock, log, ver, installation, fetching, restart });
  const upgrading = new Upgrading({ clock, log, load: () => realUpgrade(kinds) });
  const reconciler = createReconciler({
    ...{ host, caretaker, clock, random },
    files: realFiles(kinds),
    packages: realPackages(kinds),
    sides: [checksSide({ clock, random, log }), updater, upgrading],
  });
  return {
    fetching,
    start: (document, handlers) => reconciler.start(document, handlers),
    apply: document => reconciler.apply(document),
    attempted: () => reconciler.attempted(),
    items: () => reconciler.items(),
    restart: (service, done) => reconciler.restart(service, done),
    follow: (service, ...rest) => reconciler.follow(service, ...rest),
    dim: (service, cores) => reconciler.dim(service, cores),
    stopAll: done => reconciler.stopAll(done),
    close() {
      reconciler.close();
      fetching.close();
    },
    connected: yes => updater.connected(yes),
    upgrade: done => upgrading.upgrade(done),
  };
}

/** `info`'s keys as templates name them: `node.id`, `node.arch`, `node.room`, `label.rack`. */
export function templateFacts(
  id: string,
  info: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string | number | boolean>> {
  const named: Record<string, string | number | boolean> = { 'node.id': id };
  for (const [key, value] of Object.entries(info)) {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') continue;
    named[key.startsWith('label_') ? `label.${key.slice('label_'.length)}` : `node.${key}`] = value;
  }
  return named;
}
