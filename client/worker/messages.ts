/** Between a program, which runs its jobs, and the thread beside it, which is the node. */

export interface ThreadSettings {
  /** As `hearth agent` takes them. */
  readonly argv: readonly string[];
  readonly jobs: readonly string[];
  /** Tasks at the same time, where the node's document does not say. */
  readonly concurrency: number;
}

export type ToProgram =
  | {
      readonly type: 'run';
      readonly token: number;
      readonly name: string;
      readonly job: string;
      readonly index: number;
      readonly attempt: number;
      readonly value: unknown;
      readonly common: unknown;
      /** base64 */
      readonly checkpoint: string | undefined;
    }
  /** Its result is wanted no more. */
  | { readonly type: 'abort'; readonly token: number; readonly reason: string }
  | { readonly type: 'state'; readonly node: string; readonly online: boolean }
  /** What an agent would have in its log. */
  | { readonly type: 'warning'; readonly text: string }
  /** The node is no more. Without a sentence it was told to end. */
  | { readonly type: 'over'; readonly sentence: string | undefined };

export type ToThread =
  | { readonly type: 'began'; readonly token: number }
  | {
      readonly type: 'ended';
      readonly token: number;
      readonly value?: unknown;
      readonly error?: string;
      /** What it logged, the end of it. */
      readonly log?: string;
    }
  | { readonly type: 'checkpoint'; readonly token: number; readonly base64: string }
  | { readonly type: 'stop' };
