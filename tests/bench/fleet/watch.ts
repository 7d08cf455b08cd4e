/** What the benches see of a supervisor and its fleet: event-loop delay, and when every node is online. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Cluster } from '../../fixture/cluster.ts';
import { connectClient } from '../../fixture/mqtt-client.ts';
import { until } from '../../fixture/processes.ts';

export interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The environment of a supervisor that writes its delays into `file`. */
export const loopDelayIn = (file: string): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'loop-delay.mjs')).href}`,
  LOOP_DELAY_FILE: file,
});

/** Since it was last asked. */
export async function loopDelay(pid: number, file: string): Promise<Delay> {
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  await until('the loop delay is written', () => existsSync(file));
  return JSON.parse(readFileSync(file, 'utf8')) as Delay;
}

/** Seconds until every node is online, told by `hearth/node/+/status` as they come. */
export async function allOnline(cluster: Cluster, nodes: number, since: number, limitMs: number): Promise<number> {
  const watcher = await connectClient(cluster.url, ['hearth/node/+/status'], { keepalive: 120 });
  const up = new Set<string>();
  await watcher
    .wait(
      `${nodes} nodes online`,
      () => {
        for (const message of watcher.heard) {
          if (message.text === 'online') up.add(message.topic);
          else up.delete(message.topic);
        }
        watcher.forget();
        return up.size >= nodes;
      },
      limitMs,
    )
    .catch(() => {});
  const seconds = (performance.now() - since) / 1000;
  await watcher.close();
  if (up.size < nodes) throw new Error(`only ${up.size} of ${nodes} were online after ${Math.round(limitMs / 1000)} s`);
  return seconds;
}
