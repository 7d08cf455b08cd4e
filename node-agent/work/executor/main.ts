/**
 * The executor's process, started by its agent (client.ts) and independent of it:
 * `node executor.js DATA BOUNDS`, with the agent's data folder and {@link Bounds} as JSON. Its own folder is `work/` in
 * there. It says `ready` on file descriptor 3 once it can be connected to.
 */
import { chmodSync, closeSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { makeFolder } from '../../../shared/make-folder.ts';
import { systemClock } from '../../../shared/system-clock.ts';
import { bootClock } from '../../heat/boot-clock.ts';
import { LeaseFile } from '../../heat/lease-file.ts';
import { Cgroups, mounted } from '../../reconcile/services/cgroup.ts';
import { lowerPriority } from '../../reconcile/services/priority.ts';
import { stderrLog } from '../../stderr-log.ts';
import { createCommandRunner } from './command/index.ts';
import { HeatGroups } from './heat-groups.ts';
import { lazyRunner } from './lazy-runner.ts';
import { killAllOf, ProcessMarks, prefixOf } from './marks.ts';
import type { ModuleRunners, RunnerParts } from './runner.ts';
import { Server } from './server.ts';
import type { Bounds } from './starting.ts';
import { cleanEnvironment, raiseOomScore } from './surroundings.ts';
import { socketName } from './wire.ts';

const [data = '.', said = '{}'] = process.argv.slice(2);
const { idleMs = 60_000, ...bounds }: Bounds = JSON.parse(said);
const folder = join(data, 'work');
const log = stderrLog(false);

/** Whoever is there already has the folder; what it is about to end, the agent waits for. */
function ifAlone(then: () => void): void {
  const other = connect(socketName);
  other.once('connect', () => {
    console.error('another executor is there already');
    process.exit(75);
  });
  other.once('error', then);
}

/** Less of the processor than the agent, and all that it starts; what others of this folder left behind is killed. */
function settle(): Cgroups {
  raiseOomScore();
  lowerPriority(process.pid);
  const cgroups = Cgroups.find();
  const group = cgroups.pathFor(prefixOf(folder).slice(0, -1));
  for (const pid of cgroups.members(group)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {}
  }
  killAllOf(folder);
  if (group !== undefined) cgroups.enter(group);
  return cgroups;
}

function serve(): void {
  const cgroups = settle();
  const clock = systemClock();
  const marks = new ProcessMarks(prefixOf(folder), log);
  const environment = cleanEnvironment();
  const heat = new HeatGroups(mounted);
  const now = () => performance.now();
  const server = new Server({
    clock,
    idleMs,
    heat,
    lease: new LeaseFile(join(data, 'heat'), bootClock()),
    runners(files) {
      const parts: RunnerParts = {
        folder: join(folder, 'modules'),
        data,
        log,
        files,
        marks,
        environment,
        heat,
        now,
      };
      let modules: Promise<ModuleRunners> | undefined;
      const load = () => {
        modules ??= import('./modules/index.ts').then(({ createModuleRunners }) => createModuleRunners(parts));
        return modules;
      };
      return {
        run: createCommandRunner({ ...parts, folder: join(folder, 'commands'), cgroups, ...bounds }),
        plugin: lazyRunner(async () => (await load()).plugin),
        package: lazyRunner(async () => (await load()).package),
        code: lazyRunner(async () => (await load()).code),
      };
    },
    over: () => process.exit(0),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => server.end());
  process.on('SIGHUP', () => {});
  server.listen(() => {
    try {
      writeSync(3, 'ready\n');
      closeSync(3);
    } catch {
      // The agent that started it has gone; the next one finds it.
    }
  });
}

makeFolder(folder);
// Whatever made it: who may look into it may also give orders.
chmodSync(folder, 0o700);
process.chdir(folder);
ifAlone(serve);
