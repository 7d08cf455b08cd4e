/** What jobs need of the supervisor. */
import type { Bus } from '../../shared/bus.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { Store } from '../../shared/store.ts';
import type { Journal } from '../desired/journal.ts';
import type { Events } from '../fleet/events.ts';
import type { FleetReader } from '../fleet/fleet.ts';
import type { Answers } from '../orders/answers.ts';
import type { AcceptanceParts } from './acceptance.ts';
import type { Record } from './code-audit.ts';
import type { WorkOf } from './crew.ts';

/** What belongs to the installation, and not to the wiring of the supervisor. */
export interface JobsOptions extends AcceptanceParts {
  /** Who may send inline code. */
  readonly inline?: readonly string[];
  /** Weights of those who send jobs; who is not named has 1. */
  readonly shares?: ReadonlyMap<string, number>;
  readonly audit?: Record;
}

export interface JobsParts {
  readonly base: string;
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: Pick<Events, 'emit'>;
  readonly answers: Answers;
  readonly options: JobsOptions;
  /** A message of work as it goes out. */
  seal(node: string, work: WorkOf, signed: boolean): string;
  maySpeak(): boolean;
  readonly journal: Pick<Journal, 'durable' | 'durableRoles'>;
  readonly view: Pick<FleetReader, 'get'>;
}
