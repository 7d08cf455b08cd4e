/** What a supervisor is made of, and whom it tells. */
import type { Signer } from '../shared/authority.ts';
import type { Bus } from '../shared/bus.ts';
import type { Clock, Random } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import type { Store } from '../shared/store.ts';
import type { Given } from './desired/compile.ts';
import type { AgentRelease } from './desired/following.ts';
import type { HeatingOptions } from './heat/heating.ts';
import type { JobsOptions } from './jobs/parts.ts';
import type { Told } from './orders/answers.ts';
import type { WakingOptions } from './power/waking.ts';

export interface SupervisorParts {
  /** Topic base, such as `hearth`. */
  readonly base: string;
  readonly ver: string;
  readonly bus: Bus;
  readonly store: Store;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Outside broker only: after `ready`, this supervisor had to give way to another one and writes nothing any more. */
  readonly onFatal?: (sentence: string) => void;
  /** Serial of the trust bundle, told in `hello`. */
  readonly bundle?: () => number;
  /** Every answered `set` and `do`, for the audit. */
  readonly told?: (told: Told) => void;
  /** What was decided about a machine when it joined. */
  readonly given?: (node: string) => Given | undefined;
  /** The agent that this supervisor hands out, for documents that follow it; absent: none does. */
  readonly release?: () => Promise<AgentRelease>;
  /** Who may send inline code, what each sender gets, and where packages and lines come from. */
  readonly jobs?: JobsOptions;
  /** What the fuse bears, and how Home Assistant is told. */
  readonly heating?: HeatingOptions;
  /** How packets get out that wake nodes, and what is known of their cards besides. */
  readonly waking?: WakingOptions;
  /** A node's document is gone by `do/forget`: its certificate is to go, too. */
  readonly forgotten?: (node: string) => void;
}
