/** From a recipe and a task to what is run: the command line, and its values as variables. Pure. */
import { type Result, sentence } from '../../../../shared/errors.ts';
import { type CompiledArray, compileArray } from '../../../../shared/jobs/array.ts';
import { type CompiledRun, compileRun, itemText } from '../../../../shared/jobs/placeholders.ts';
import type { JobArray } from '../../../../shared/schemas/job.ts';
import type { Recipe } from '../../../../shared/schemas/work.ts';
import type { ExecutorTask } from '../../executor.ts';

export interface Filled {
  /** A script for `/bin/sh -c`, or a program and its arguments. */
  readonly script?: string;
  readonly argv?: readonly string[];
  /** `HEARTH_ARG_…`. */
  readonly variables: Readonly<Record<string, string>>;
  /** What is on its standard input; undefined: nothing. */
  readonly stdin?: string;
}

/** One recipe's command, read once. */
export class Command {
  readonly #recipe: Recipe;
  #array: CompiledArray | undefined;
  #plain: CompiledRun | undefined;
  #withItem: CompiledRun | undefined;

  constructor(recipe: Recipe) {
    this.#recipe = recipe;
  }

  /** @throws Error with one sentence. @param paths of inputs and outputs, by name. */
  fill(task: ExecutorTask, paths: Readonly<Record<string, string>>): Filled {
    const { reduce, stdin } = this.#recipe;
    const results = reduce === true && Array.isArray(task.value) ? task.value : undefined;
    const values = this.#values(task);
    const run = this.#run(Object.keys(values), Object.keys(paths));
    const filled = run.kind === 'script' ? run.script(values, paths, task.index) : run.argv(values, paths, task.index);
    if (!filled.ok) throw new Error(sentence(filled.error));
    const variables: Record<string, string> = {};
    for (const [name, value] of Object.entries(values)) {
      if (value.includes('\0')) throw new Error(`the value of "${name}" holds a NUL, which no command can be given`);
      variables[`HEARTH_ARG_${name.toUpperCase()}`] = value;
    }
    const input = results ? results.map(each => `${JSON.stringify(each)}\n`).join('') : stdin;
    return {
      ...(typeof filled.value === 'string' ? { script: filled.value } : { argv: filled.value }),
      variables,
      ...(input === undefined ? {} : { stdin: input }),
    };
  }

  #values({ index, value }: ExecutorTask): Readonly<Record<string, string>> {
    const { array, reduce } = this.#recipe;
    if (array !== undefined && array !== null) {
      this.#array ??= good(compileArray(array as JobArray));
      if (index >= this.#array.n) throw new Error(`there is no task ${index + 1}: the array has ${this.#array.n}`);
      return this.#array.at(index);
    }
    return value === undefined || reduce === true ? {} : { i: itemText(value) };
  }

  #run(names: readonly string[], files: readonly string[]): CompiledRun {
    const { run = '' } = this.#recipe;
    if (names.length === 0) {
      this.#plain ??= good(compileRun(run, names, files));
      return this.#plain;
    }
    this.#withItem ??= good(compileRun(run, names, files));
    return this.#withItem;
  }
}

function good<T>(said: Result<T>): T {
  if (!said.ok) throw new Error(sentence(said.error));
  return said.value;
}
