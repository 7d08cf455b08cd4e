/** A host whose reports have no secret of a service in them, should it print one: they go out on the bus. */
import type { Host } from '../host.ts';
import { hasSecrets, type Secrets } from './secrets.ts';

export function hideSecrets(host: Host, secrets: Secrets): Host {
  return {
    adopt(handlers, done) {
      const hiding = {
        exited: handlers.exited,
        output: (unit: string, lines: readonly string[]) =>
          handlers.output(
            unit,
            lines.map(line => secrets.hide(unit, line)),
          ),
      };
      host.adopt(hiding, found => {
        // What an earlier agent started has its secrets already; here they are opened to know what to hide.
        const holding = found.filter(hasSecrets);
        let left = holding.length;
        if (left === 0) done(found);
        for (const unit of holding) {
          secrets.open(unit, () => {
            left--;
            if (left === 0) done(found);
          });
        }
      });
    },
    start: (unit, done) => host.start(unit, done),
    stop: (unit, signal, graceMs, done) => host.stop(unit, signal, graceMs, done),
    adjust: (unit, spec, done) => host.adjust(unit, spec, done),
    note: unit => host.note(unit),
    dim: (unit, cores) => host.dim(unit, cores),
    discard(unit) {
      host.discard(unit);
      secrets.forget(unit);
    },
    tail: (unit, lines) => host.tail(unit, lines).map(line => secrets.hide(unit, line)),
    follow: (unit, on, fromStart) => host.follow(unit, on, fromStart),
    close: () => host.close(),
  };
}
