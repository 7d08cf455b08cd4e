/** The fleet's read model and its events: put together, and told to everybody. */
import type { Bus } from '../../shared/bus.ts';
import type { Clock } from '../../shared/clock.ts';
import { topicsOf } from '../../shared/topics.ts';
import { Events } from './events.ts';
import { FleetView } from './view.ts';

export interface ShownFleetParts {
  readonly base: string;
  readonly ver: string;
  readonly bus: Bus;
  readonly clock: Clock;
  /** A node says something else of itself than before. */
  changed(node: string): void;
}

export function createShownFleet({ base, ver, bus, clock, changed }: ShownFleetParts): {
  readonly view: FleetView;
  readonly events: Events;
} {
  const topic = topicsOf(base).fabric('event');
  const view = new FleetView(base, ver, clock, (node, { info, load, is }) => {
    if (info || load || is) changed(node);
  });
  const events = new Events(clock, event => {
    view.addEvent(event);
    bus.publish(topic, JSON.stringify(event), { qos: 1 });
  });
  return { view, events };
}
