/** What commands have around them, all of them the same. */
import type { Files, Marks, RunnerParts } from '../runner.ts';
import type { Inputs } from './inputs.ts';
import type { Memory } from './memory.ts';

export interface Around {
  /** Work of commands: `tasks/`, `out/`, `saved/`, `in/`; all but the last are made already. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly marks: Marks;
  readonly files: Files;
  readonly inputs: Inputs;
  readonly memory: Memory;
  readonly heat: RunnerParts['heat'];
  /** Bytes of stdout and stderr together. */
  readonly maxOutput: number;
  /** Between TERM and KILL. */
  readonly graceMs: number;
}
