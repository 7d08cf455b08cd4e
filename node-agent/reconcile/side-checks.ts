/** Checks as a side of the reconciler; their code is loaded with the first document that has some. */
import type { Clock, Random } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { Check } from '../../shared/schemas/check.ts';
import type { CheckTable } from '../checks/index.ts';
import type { Document } from './reconciler.ts';
import type { Side } from './side.ts';

export function checksSide(parts: { readonly clock: Clock; readonly random: Random; readonly log: Log }): Side {
  let handlers: Parameters<Side['start']>[0] | undefined;
  let table: CheckTable | undefined;
  let read: (said: Readonly<Record<string, unknown>>) => Record<string, Check> = () => ({});
  let loading = false;
  let closed = false;
  let wanted: NonNullable<Document['checks']> = {};
  return {
    start(given) {
      handlers = given;
    },
    apply({ checks = {} }) {
      wanted = checks;
      if (table) table.set(read(wanted));
      if (table || loading || Object.keys(wanted).length === 0) return;
      loading = true;
      import('../checks/index.ts').then(
        ({ createChecks, readChecks }) => {
          read = readChecks;
          loading = false;
          if (closed || !handlers) return;
          table = createChecks(parts, handlers);
          table.set(read(wanted));
        },
        (error: Error) => {
          loading = false;
          parts.log.error({}, `checks: a part of the agent cannot be loaded (${error.message}): restart it`);
        },
      );
    },
    items: () => table?.items() ?? {},
    // A check that fails is no failure to do what was said: it is told as an item and by its severity.
    error: () => '',
    close() {
      closed = true;
      table?.close();
    },
  };
}
