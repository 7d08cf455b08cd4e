/** The reconciler of a node that is a program: it runs jobs, and changes nothing about the machine. */
import type { Document, ReconcilerApi, ReconcilerHandlers } from '../../node-agent/reconcile/reconciler.ts';

const only = 'this node is a program that runs jobs, and nothing else';

export function noItems(): ReconcilerApi {
  let rev = 0;
  let err = '';
  let told: ReconcilerHandlers | undefined;
  const take = (document: Document | undefined) => {
    if (!document) return;
    const { rev: number, services, packages, files, checks } = document;
    const items = [services, packages, files, checks].some(all => Object.keys(all ?? {}).length > 0);
    [rev, err] = [number, items ? only : ''];
    told?.changed();
  };
  return {
    start(document, handlers) {
      told = handlers;
      take(document);
    },
    apply: take,
    attempted: () => ({ rev, err }),
    items: () => ({}),
    restart: (_service, done) => done(only),
    follow: (_service, _ms, done) => done(only),
    dim: () => ({}),
    stopAll: done => done(),
    close() {},
  };
}
