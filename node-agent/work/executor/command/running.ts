/** One command from its inputs to its outputs: one attempt of a task. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync, writeFile, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { printable } from '../../../../shared/names.ts';
import type { End, Failure, Recipe } from '../../../../shared/schemas/work.ts';
import { systemShell } from '../../../reconcile/services/launch.ts';
import { simpleCommand } from '../../../reconcile/services/simple-command.ts';
import { reason } from '../../../reconcile/services/unit-folder.ts';
import type { ExecutorTask } from '../../executor.ts';
import { signalGroup } from '../marks.ts';
import type { LaneHandlers } from '../runner.ts';
import type { Around } from './around.ts';
import { cannotStart } from './cannot-start.ts';
import { Checkpoint } from './checkpoint.ts';
import type { Command, Filled } from './filled.ts';
import { Hold } from './hold.ts';
import type { MemoryLimit } from './memory.ts';
import { Output } from './output.ts';
import { keepOutputs, outputPaths } from './outputs.ts';
import { removeFolder } from './remove-folder.ts';

/** Of what a command leaves running in its group when it ends. */
const leftoverGraceMs = 1000;
/** The kernel takes 128 kB in one argument (execve(2)); a script above this is read from a file. */
const longestArgument = 100_000;
const checkpointMs = 1000;

let count = 0;

export class Running {
  readonly #around: Around;
  readonly #recipe: Recipe;
  readonly #task: ExecutorTask;
  readonly #handlers: LaneHandlers;
  readonly #over: () => void;
  readonly #name: string;
  readonly #mark: string;
  readonly #own: string;
  readonly #checkpoint: Checkpoint;
  #child: ChildProcess | undefined;
  #output: Output | undefined;
  #limit: MemoryLimit | undefined;
  #extra: string | undefined;
  #cancel: () => void = () => {};
  #paths: Readonly<Record<string, string>> = {};
  #folder = '';
  #stopped: Failure | 'asked' | undefined;
  /** Its process has ended and so. */
  #exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined;
  #lookedMs = 0;
  #done = false;
  readonly #hold: Hold;

  /** @param over called once, before `ended`. */
  constructor(around: Around, recipe: Recipe, task: ExecutorTask, handlers: LaneHandlers, over: () => void) {
    this.#around = around;
    this.#recipe = recipe;
    this.#task = task;
    this.#handlers = handlers;
    this.#over = over;
    this.#name = `${task.token}-${(count++).toString(36)}`;
    this.#mark = around.marks.take();
    this.#own = join(around.folder, 'tasks', this.#name);
    this.#checkpoint = new Checkpoint(join(around.folder, 'saved', this.#name));
    this.#hold = new Hold(around, this.#mark, recipe.heat === true);
  }

  get stoppedByOthers(): boolean {
    return this.#hold.isStoppedByOthers(this.#pid());
  }

  /** Of its process, while that runs. */
  #pid(): number | undefined {
    return this.#exit ? undefined : this.#child?.pid;
  }

  freeze(on: boolean): void {
    if (this.#done || (!on && this.#stopped)) return;
    this.#hold.freeze(on, this.#pid());
    // What it has saved goes along, should it be moved.
    if (on && this.#pid() !== undefined) this.#save();
  }

  /** Whether it belongs to the groups of heat. */
  heat(on: boolean): void {
    this.#hold.heat(on, this.#pid());
  }

  start(command: () => Command): void {
    const { inputs } = this.#recipe;
    if (inputs === undefined) {
      this.#launch(command, {});
      return;
    }
    this.#cancel = this.#around.inputs.get(this.#recipe, (error, paths) => {
      if (this.#done) return;
      if (paths) this.#launch(command, paths);
      else this.#fail('setup', error ?? '');
    });
  }

  /** `why` where it was not asked for. */
  stop(why: Failure | 'asked' = 'asked'): void {
    if (this.#done || this.#stopped) return;
    this.#stopped = why;
    this.#cancel();
    this.#hold.end(this.#pid());
    if (this.#child && !this.#exit) this.#endAll(this.#around.graceMs);
    else this.#finish(this.#how());
  }

  /** A look at what it does, several times a second. */
  look(now: number): void {
    if (this.#done || this.#exit || !this.#output) return;
    // Where the kernel shares the processor between sessions first (sched(7)), the nice value counts inside of one only.
    if (this.#lookedMs === 0) writeFile(`/proc/${this.#child?.pid}/autogroup`, String(getPriority()), () => {});
    if (this.#output.bytes > this.#around.maxOutput) this.stop('output');
    else if (this.#limit?.exceeded(this.#child?.pid ?? 0, now)) this.stop('memory');
    if (now - this.#lookedMs < checkpointMs) return;
    this.#lookedMs = now;
    this.#save();
  }

  #save(): void {
    const saved = this.#checkpoint.look();
    if (saved !== undefined) this.#handlers.checkpoint(this.#task.token, saved);
  }

  #launch(command: () => Command, inputs: Readonly<Record<string, string>>): void {
    if (this.#hold.later(() => this.#launch(command, inputs))) return;
    let stdin: number | undefined;
    try {
      this.#makeFolder();
      this.#paths = outputPaths(this.#folder, this.#recipe.outputs ?? {});
      const filled = command().fill(this.#task, { ...inputs, ...this.#paths });
      if (this.#task.checkpoint !== undefined) this.#checkpoint.begin(this.#task.checkpoint);
      this.#output = new Output(join(this.#around.folder, 'out'), this.#name);
      stdin = this.#stdin(filled.stdin);
      const { mem_mb } = this.#recipe;
      const alone = this.#hold.isHeat && this.#around.heat.isUnified;
      if (mem_mb !== undefined) this.#limit = this.#around.memory.limit(this.#mark, mem_mb, alone);
      this.#spawn(this.#words(filled), filled.variables, stdin ?? 'ignore');
    } catch (error) {
      this.#fail('error', reason(error));
    } finally {
      if (stdin !== undefined) closeSync(stdin);
    }
  }

  #makeFolder(): void {
    const { cwd } = this.#recipe;
    this.#folder = cwd ?? this.#own;
    if (cwd === undefined) mkdirSync(this.#own, { mode: 0o700 });
    else if (!statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) {
      throw new Error(`its folder (cwd) ${printable(cwd, 100)} is not there, or no folder`);
    }
  }

  #stdin(text: string | undefined): number | undefined {
    if (text === undefined || text === '') return undefined;
    const path = this.#beside('stdin', text);
    return openSync(path, 'r');
  }

  /** A file of its own that is gone with it. */
  #beside(name: string, text: string): string {
    this.#extra ??= `${this.#own}.with`;
    mkdirSync(this.#extra, { recursive: true, mode: 0o700 });
    const path = join(this.#extra, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  #words({ script, argv = [] }: Filled): readonly string[] {
    const words = script === undefined ? argv : [systemShell, ...this.#script(simpleCommand(script) ?? script)];
    const limited = this.#limit?.wrap(words) ?? words;
    return this.#hold.isHeat ? this.#around.heat.wrap(limited) : limited;
  }

  #script(script: string): readonly string[] {
    return Buffer.byteLength(script) > longestArgument ? [this.#beside('script', script)] : ['-c', script];
  }

  #spawn([program = '', ...args]: readonly string[], variables: Filled['variables'], stdin: number | 'ignore'): void {
    const { token, index, attempt } = this.#task;
    const output = this.#output as Output;
    const child = spawn(program, args, {
      cwd: this.#folder,
      env: {
        ...this.#around.environment,
        ...this.#recipe.env,
        ...variables,
        HEARTH_JOB: this.#recipe.job,
        HEARTH_TASK: String(index + 1),
        HEARTH_ATTEMPT: String(attempt),
        HEARTH_TOKEN: String(token),
        HEARTH_CHECKPOINT: this.#checkpoint.path,
        HEARTH_UNIT: this.#mark,
      },
      // A session of its own: no terminal, and one group for all that do not leave it.
      detached: true,
      stdio: [stdin, output.out, output.err],
    });
    this.#child = child;
    child.once('error', error => {
      if (child.pid === undefined) this.#fail('error', cannotStart(program, error));
    });
    child.once('exit', (code, signal) => this.#exited(code, signal));
  }

  #exited(code: number | null, signal: NodeJS.Signals | null): void {
    this.#exit = { code, signal };
    // Who stops it looks for all that it left, and says when nobody is there.
    if (this.#stopped) return;
    if (signalGroup(this.#child?.pid ?? 0, 0)) this.#endAll(leftoverGraceMs);
    else this.#left();
  }

  #endAll(graceMs: number): void {
    this.#around.marks.end(this.#mark, this.#child?.pid ?? 0, graceMs, () => {
      if (this.#stopped) this.#finish(this.#how());
      else this.#left();
    });
  }

  /** Nobody of it runs any more. */
  #left(): void {
    if (this.#done || this.#stopped) return;
    const end = this.#how();
    if (end.why !== undefined || this.#recipe.outputs === undefined) {
      this.#told(end);
      return;
    }
    this.#cancel = keepOutputs(this.#around.files, this.#folder, this.#paths, (problem, files) => {
      if (this.#done || this.#stopped) return;
      if (problem) this.#told({ ...end, why: problem.missing ? 'error' : 'setup', err: problem.error });
      else this.#told({ ...end, files });
    });
  }

  /** With what it wrote; the whole goes to the artifacts where it is too long. */
  #told(end: End): void {
    const { long = true, ...texts } = this.#output?.read() ?? {};
    const all = { ...end, ...texts };
    if (!long || !this.#output || end.why === 'output') {
      this.#finish(all);
      return;
    }
    this.#cancel = this.#around.files.upload(this.#output.path, (error, sha256) => {
      if (this.#done || this.#stopped) return;
      if (sha256 !== undefined) this.#finish({ ...all, out_sha256: sha256 });
      else if (end.why !== undefined) this.#finish(all);
      else this.#finish({ ...all, why: 'setup', err: `its output cannot be kept: ${error}` });
    });
  }

  /** How its process ended, and why it is no success. */
  #how(): End {
    const { code = null, signal = null } = this.#exit ?? {};
    const said = { ...(code === null ? {} : { exit: code }), ...(signal === null ? {} : { signal: signal.slice(3) }) };
    const { maxOutput } = this.#around;
    const { mem_mb } = this.#recipe;
    const memory = this.#stopped === 'memory' || (signal === 'SIGKILL' && this.#limit?.killed());
    if (memory) return { ...said, why: 'memory', err: `killed: it used more than its ${mem_mb} MB` };
    if (this.#stopped === 'output' || (this.#output?.bytes ?? 0) > maxOutput) {
      return { ...said, why: 'output', err: `ended: it wrote more than ${maxOutput} bytes of output` };
    }
    if (signal !== null) return { ...said, why: 'signal', err: `ended by ${signal}` };
    return code === 0 || code === null ? {} : { ...said, why: 'exit', err: `exit status ${code}` };
  }

  #fail(why: Failure, err: string): void {
    this.#finish({ why, err: err.slice(0, 2000) });
  }

  #finish(end: End): void {
    if (this.#done) return;
    this.#done = true;
    if (this.#child) this.#save();
    const texts = this.#stopped && this.#output ? this.#output.read() : {};
    const { long, ...all } = { ...end, ...texts } as End & { long?: boolean };
    this.#output?.close();
    this.#checkpoint.end();
    this.#limit?.end();
    this.#around.marks.release(this.#mark);
    removeFolder(this.#folder === this.#own ? this.#own : undefined);
    removeFolder(this.#extra);
    this.#over();
    this.#handlers.ended(this.#task.token, Object.keys(all).length === 0 ? undefined : all);
  }
}
