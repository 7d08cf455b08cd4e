/** What the core of a node's jobs hears, and what it wants done. */
import type { Recipe, Report, Work } from '../../shared/schemas/work.ts';
import type { AdoptedTask, Ended, ExecutorTask } from './executor.ts';

export type WorkEvent =
  /** A session begins. `said`: reports that are out in it already, an empty `have` among them. */
  | { readonly type: 'up'; readonly inst: string; readonly epoch: number; readonly said: number }
  /** In the same session somebody asks who is there. Who is new hears by the report's number that there were others, and asks. */
  | { readonly type: 'again' }
  | { readonly type: 'down' }
  /** Judged: of this node's cluster. `bytes`: of the message. */
  | { readonly type: 'work'; readonly work: Work; readonly bytes: number }
  /** What the node may do, and whether it takes anything new at all. */
  | { readonly type: 'settings'; readonly slots: number; readonly closed: boolean }
  /** From the executor, see there. */
  | { readonly type: 'ready'; readonly tasks: readonly AdoptedTask[] }
  | { readonly type: 'started'; readonly tokens: readonly number[] }
  | { readonly type: 'ended'; readonly results: readonly Ended[] }
  | { readonly type: 'checkpoint'; readonly token: number; readonly base64: string }
  | { readonly type: 'dropped'; readonly tokens: readonly number[] }
  | { readonly type: 'frozen'; readonly tokens: readonly number[] }
  | { readonly type: 'lost'; readonly reason: string }
  /** How `keep` went. */
  | { readonly type: 'kept'; readonly tokens: readonly number[] }
  | { readonly type: 'unkept' }
  /** How `report` went; `said` false: the link does not take it now. */
  | { readonly type: 'reported'; readonly epoch: number; readonly seq: number; readonly said: boolean }
  /** The node leaves its cluster: nothing of this is anybody's any more. */
  | { readonly type: 'forget' }
  | { readonly type: 'tick' };

export type WorkEffect =
  | { readonly type: 'report'; readonly report: Report }
  | { readonly type: 'run'; readonly recipes: readonly Recipe[]; readonly tasks: readonly ExecutorTask[] }
  | { readonly type: 'kill' | 'takeBack'; readonly tokens: readonly number[] }
  | { readonly type: 'forget' | 'urgent'; readonly recipes: readonly number[] }
  /** The executor may forget these results. */
  | { readonly type: 'taken'; readonly tokens: readonly number[] }
  /** To the outbox on disk; `kept` or `unkept` follows. */
  | { readonly type: 'keep'; readonly results: readonly Ended[]; readonly sync: boolean }
  /** From the outbox on disk. */
  | { readonly type: 'drop'; readonly tokens: readonly number[] };
