/** `hearth up`: runs the supervisor in this process until it is told to end. */
import { join } from 'node:path';
import { type Flags, resolveConfig, type SupervisorConfig, surroundings } from '../../broker/config.ts';
import { type RunningSupervisor, servicesStopMs, startSupervisor } from '../../broker/main.ts';
import { agentNodeFlags } from '../../shared/agent-process.ts';
import { UserError } from '../../shared/user-error.ts';
import { banner } from '../banner.ts';
import { version } from '../version.ts';

/** A stop is over within 5 s (one that ends services, too, when those have); this is when the rest is left standing. */
const stopLimitMs = 4700;
/** npm hands Ctrl-C on, so that one press arrives twice: only what comes later than this is a second press. */
const samePressMs = 500;
/** After this the addresses are printed although the local node is not online. */
const patienceMs = 10_000;

/** @param dist the folder of the built program. */
export async function up(flags: Flags & { readonly agent?: boolean }, dist: string): Promise<number> {
  const began = performance.now() - process.uptime() * 1000;
  const { agent, ...rest } = flags;
  const config = resolveConfig(agent === false ? { ...rest, noAgent: true } : rest, surroundings());
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const umask = process.umask(0o077);
  const end = listenForTheEnd(say);
  let giveWay: (sentence: string) => void = () => {};
  const gaveWay = new Promise<string>(resolve => {
    giveWay = resolve;
  });
  const running = await startSupervisor(
    config,
    {
      ver: version,
      dashboardFolder: join(dist, 'dashboard'),
      dist,
      deploy: join(dist, '../deploy'),
      agentCommand: [process.execPath, ...agentNodeFlags, join(dist, 'agent.js')],
      umask,
      say,
      gaveWay: giveWay,
    },
    end.signal,
  );
  guard(running);
  const node = await first(running.online, end.wanted, patienceMs);
  if (!end.signal.aborted) announce(config, running, node, performance.now() - began, say);
  const lost = await Promise.race([end.wanted, gaveWay]);
  if (lost !== undefined) running.log.error({}, lost);
  const code = await stop(running, stopLimitMs + (config.stopServices ? servicesStopMs : 0));
  return lost === undefined ? code : 1;
}

function announce(
  config: SupervisorConfig,
  running: RunningSupervisor,
  node: string | undefined,
  ms: number,
  say: (line: string) => void,
): void {
  const { http, mqtt, tls, noUsers, cluster } = running;
  process.stdout.write(`${banner(config, { ver: version, ms, http, mqtt, tls, noUsers, cluster, node })}\n`);
  if (config.agent && node === undefined) {
    say(`hearth: the local node is not online yet: ${join(config.data, 'logs/agent.log')} says why.`);
  }
}

const first = <T>(value: Promise<T>, end: Promise<void>, ms: number): Promise<T | undefined> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    value.then(resolve, reject);
    void end.then(() => resolve(undefined));
    value.finally(() => clearTimeout(timer)).catch(() => {});
  });

/** The first INT, TERM or HUP asks for an orderly end, the second ends at once. */
function listenForTheEnd(say: (line: string) => void): {
  readonly signal: AbortSignal;
  readonly wanted: Promise<void>;
} {
  const controller = new AbortController();
  let firstAt: number | undefined;
  const wanted = new Promise<void>(resolve => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        const now = performance.now();
        if (firstAt === undefined) {
          firstAt = now;
          if (name === 'SIGINT') say('hearth: ending … (Ctrl-C again: at once)');
          controller.abort();
          resolve();
        } else if (now - firstAt > samePressMs) process.exit(130);
      });
    }
  });
  return { signal: controller.signal, wanted };
}

async function stop(running: RunningSupervisor, limitMs: number): Promise<number> {
  const late = setTimeout(() => {
    running.log.error({ limit_ms: limitMs }, 'not everything ended in time; the rest is left standing');
    running.abandon();
    process.exit(1);
  }, limitMs);
  await running.stop();
  clearTimeout(late);
  return 0;
}

/** A defect anywhere ends the process with its reason in the log: half a supervisor is worse than a restarted one. */
function guard(running: RunningSupervisor): void {
  const crash = (error: unknown) => {
    const err = error instanceof Error ? error : new Error(String(error));
    if (err instanceof UserError) running.log.error({}, err.message);
    else running.log.error({ err, stack: err.stack }, 'an internal error ends the supervisor; please report it');
    running.abandon();
    process.exit(70);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}
