/** The {@link Runner} of commands: each in a process group of its own, its output in files. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Recipe } from '../../../../shared/schemas/work.ts';
import type { Cgroups } from '../../../reconcile/services/cgroup.ts';
import type { ExecutorTask } from '../../executor.ts';
import type { Lane, LaneHandlers, Runner, RunnerParts } from '../runner.ts';
import type { Around } from './around.ts';
import { Command } from './filled.ts';
import { Inputs } from './inputs.ts';
import { realMemory } from './memory.ts';
import { Running } from './running.ts';

const lookEveryMs = 250;

export interface CommandParts extends Pick<RunnerParts, 'environment' | 'marks' | 'files' | 'now' | 'heat'> {
  /** The runner's own; what lies in it is of earlier ones, and removed. */
  readonly folder: string;
  readonly cgroups: Cgroups;
  /** Default: 1 GB. */
  readonly maxOutput?: number;
  /** Default: 5 s. */
  readonly graceMs?: number;
}

/** Throws where its folder cannot be made. */
export function createCommandRunner(parts: CommandParts): Runner {
  const { folder, now, cgroups, maxOutput = 1024 ** 3, graceMs = 5000 } = parts;
  rmSync(folder, { recursive: true, force: true });
  for (const name of ['tasks', 'out', 'saved']) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
  const inputs = new Inputs(join(folder, 'in'), parts.files);
  const around: Around = { ...parts, folder, inputs, memory: realMemory(cgroups), maxOutput, graceMs };
  const commands = new Map<number, Command>();
  const running = new Map<number, Running>();
  let looking: NodeJS.Timeout | undefined;
  let whenEmpty: (() => void) | undefined;

  const look = () => {
    for (const each of running.values()) each.look(now());
  };
  const gone = (token: number) => {
    running.delete(token);
    if (running.size > 0) return;
    clearInterval(looking);
    looking = undefined;
    whenEmpty?.();
  };
  const commandOf = (recipe: Recipe) => {
    const known = commands.get(recipe.r) ?? new Command(recipe);
    commands.set(recipe.r, known);
    return known;
  };

  const begin = (recipe: Recipe, task: ExecutorTask, handlers: LaneHandlers, frozen: boolean) => {
    const { token } = task;
    const one = new Running(around, recipe, task, handlers, () => gone(token));
    running.set(token, one);
    if (frozen) one.freeze(true);
    looking ??= setInterval(look, lookEveryMs);
    handlers.began(token);
    // Whoever hears that may end it at once.
    if (running.has(token)) one.start(() => commandOf(recipe));
  };

  return {
    ahead: 1,
    open(recipe, handlers): Lane {
      let waiting: ExecutorTask[] = [];
      let busy = false;
      let frozen = false;
      let current: number | undefined;
      const now = () => (current === undefined ? undefined : running.get(current));
      const next = () => {
        const task = waiting.shift();
        busy = task !== undefined;
        current = task?.token;
        if (task) begin(recipe, task, over, frozen);
      };
      const over: LaneHandlers = {
        ...handlers,
        ended(token, end, ms) {
          busy = false;
          handlers.ended(token, end, ms);
          if (!busy) next();
        },
      };
      return {
        run(tasks) {
          waiting.push(...tasks);
          queueMicrotask(() => {
            if (!busy) next();
          });
        },
        stop(token) {
          const known = running.get(token);
          if (known) queueMicrotask(() => known.stop());
          else if (waiting.some(task => task.token === token)) {
            waiting = waiting.filter(task => task.token !== token);
            queueMicrotask(() => handlers.returned([token]));
          }
        },
        freeze(on) {
          frozen = on;
          now()?.freeze(on);
        },
        get stopped() {
          return now()?.stoppedByOthers ?? false;
        },
        heat: on => now()?.heat(on),
        close() {},
      };
    },
    configure() {},
    forget(r) {
      commands.delete(r);
      inputs.forget(r);
    },
    rest() {},
    close(done) {
      if (running.size === 0) done();
      else {
        whenEmpty = done;
        for (const each of running.values()) each.stop();
      }
    },
  };
}
