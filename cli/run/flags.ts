/** What `hearth run` is told, as typed. */
import type { AdminFlags } from '../admin.ts';
import type { ClientFlags } from '../connection.ts';
import type { Source } from './values.ts';

export interface RunFlags extends ClientFlags, AdminFlags {
  /** `--array`, `--lines` and `--files`, in their order. */
  readonly sources: readonly Source[];
  readonly items?: string;
  readonly shell?: boolean;
  readonly plugin?: string;
  readonly package?: string;
  readonly main?: string;
  readonly scripts?: boolean;
  readonly code?: string;
  readonly net?: boolean;
  readonly common?: string;
  readonly stdin?: string;
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly outputDir?: string;
  readonly where?: string;
  readonly policy?: string;
  readonly class?: string;
  readonly heat?: boolean;
  readonly priority?: string;
  readonly deadline?: string;
  readonly timeout?: string;
  readonly retries?: string;
  readonly needs?: readonly string[];
  readonly reduceRun?: string;
  readonly reducePlugin?: string;
  readonly fanIn?: string;
  readonly jobs?: string;
  readonly cpus?: string;
  readonly mem?: string;
  readonly replicas?: string;
  readonly agree?: string;
  readonly speculate?: boolean;
  readonly id?: string;
  /** false: `--no-order`. */
  readonly order?: boolean;
  readonly tag?: boolean;
  readonly json?: boolean;
  readonly bar?: boolean;
  readonly detach?: boolean;
  readonly joblog?: string;
  readonly resume?: boolean;
  readonly dryRun?: boolean;
  readonly explain?: boolean;
}
