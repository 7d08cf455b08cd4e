/** The node on the supervisor's own machine: how its agent is called, who it is, and when it is there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityFile } from '../shared/agent-process.ts';
import { UserError } from '../shared/user-error.ts';
import type { SupervisorConfig } from './config.ts';
import type { DataFolder } from './data-folder.ts';
import type { FleetReader } from './fleet/fleet.ts';
import type { LocalAgentOptions } from './local-agent.ts';
import type { Installation } from './main.ts';
import { loopback } from './parts.ts';

export function agentCommand(
  config: SupervisorConfig,
  installation: Installation,
  folder: DataFolder,
  ports: { readonly mqtt: number; readonly http: number },
  cluster: string,
): Pick<LocalAgentOptions, 'command' | 'env' | 'umask'> {
  const flags = ['--base', config.base, '--data', folder.agent, '--period', String(config.periodMs), '--with-parent'];
  if (config.node !== undefined) flags.push('--node', config.node);
  if (config.stopServices) flags.push('--stop-services');
  const env: NodeJS.ProcessEnv = {};
  // What is said to this process is not meant for the agent, and its argv is readable by everyone: no password there.
  for (const [name, value] of Object.entries(process.env)) if (!name.startsWith('HEARTH_')) env[name] = value;
  env.HEARTH_BROKER = config.broker ?? `mqtt://${loopback}:${ports.mqtt}`;
  // There is the store that its files come from.
  env.HEARTH_HTTP_PORT = String(ports.http);
  return { command: [...installation.agentCommand, ...flags, '--cluster', cluster], env, umask: installation.umask };
}

/** Resolves with the local node's id when the fleet first sees it online. */
export function nodeOnline(fleet: FleetReader, config: SupervisorConfig, folder: DataFolder): Promise<string> {
  return new Promise(resolve => {
    const look = (): boolean => {
      const id = config.node ?? localNode(folder.agent);
      if (id === undefined || !fleet.snapshot().nodes.some(node => node.id === id && node.online)) return false;
      resolve(id);
      return true;
    };
    if (look()) return;
    const unwatch = fleet.watch(() => {
      if (look()) unwatch();
    });
  });
}

/** The id that the local node has decided on, from its own folder. */
function localNode(agentFolder: string): string | undefined {
  try {
    const { node } = JSON.parse(readFileSync(join(agentFolder, identityFile), 'utf8')) as { node?: unknown };
    return typeof node === 'string' ? node : undefined;
  } catch {
    return undefined;
  }
}

/** A node keeps its id for ever; the agent would refuse the other one again and again. */
export function refuseOtherNode(config: SupervisorConfig, folder: DataFolder): void {
  const kept = config.agent ? localNode(folder.agent) : undefined;
  if (kept === undefined || config.node === undefined || kept === config.node) return;
  throw new UserError(
    `The local node of ${folder.path} is called "${kept}" for ever, not "${config.node}": leave out --node, or give another data folder with --data FOLDER.`,
  );
}
