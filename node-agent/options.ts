/** What the agent's process runs with: flags over environment over defaults. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { printable } from '../shared/names.ts';
import { type Setting, settings } from '../shared/schemas/config.ts';
import { flagOrEnvironment } from '../shared/settings.ts';
import { UserError } from '../shared/user-error.ts';
import { type BrokerAddress, parseBroker } from './connection/broker-address.ts';

export interface AgentOptions {
  readonly broker: BrokerAddress;
  readonly base: string;
  readonly data: string;
  readonly periodMs: number;
  readonly stopServices: boolean;
  /** End when stdin closes. */
  readonly withParent: boolean;
  readonly node?: string;
  readonly cluster?: string;
  readonly readyFile?: string;
}

export const agentUsage = `Usage: hearth agent --broker mqtt://HOST:PORT [options]

  --broker URL         the supervisor's broker (default mqtt://127.0.0.1:1883)
  --node ID            id of this node (default: the host name, made unique once and then kept)
  --data FOLDER        where the node keeps its identity, its document and its services' output
  --base NAME          first level of every topic (default hearth)
  --cluster FINGERPRINT  join this cluster only; needed once where the broker is on another machine
  --period MS          milliseconds between load messages (default 5000)
  --ready-file FILE    written when the node is connected: {"pid","node"}
  --stop-services      stop the services at the end, too
  --with-parent        end when stdin closes

Every option can be given in the environment, as HEARTH_BROKER, HEARTH_NODE and so on.`;

const fingerprint = /^[0-9a-f]{32}$/;

/** As root /var/lib/hearth/agent, else in $XDG_DATA_HOME (XDG Base Directory Specification: relative values are ignored). */
function defaultFolder(env: NodeJS.ProcessEnv): string {
  if (process.getuid?.() === 0) return '/var/lib/hearth/agent';
  const xdg = env.XDG_DATA_HOME;
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.local/share'), 'hearth/agent');
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: false,
      options: {
        broker: text,
        node: text,
        data: text,
        base: text,
        cluster: text,
        period: text,
        'ready-file': text,
        'stop-services': flag,
        'with-parent': flag,
        help: { ...flag, short: 'h' },
      },
    }).values;
  } catch (error) {
    const first = (error as Error).message.split('. ')[0] ?? '';
    throw new UserError(`${printable(first, 200)}: "hearth agent --help" lists the options`, 2);
  }
}

/** @returns undefined where only help was asked for. Throws a {@link UserError} that names the flag or variable. */
export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): AgentOptions | undefined {
  const flags = parse(argv);
  if (flags.help) return undefined;
  const said = (setting: Setting) => {
    const value = flagOrEnvironment(setting, flags[setting.name as keyof typeof flags], env);
    return value === undefined ? undefined : String(value);
  };
  const cluster = flags.cluster ?? (env.HEARTH_CLUSTER || undefined);
  if (cluster !== undefined && !fingerprint.test(cluster)) {
    throw new UserError(`--cluster: "${printable(cluster)}" is no fingerprint: it has 32 of 0-9 and a-f`, 2);
  }
  const node = said(settings.node);
  const readyFile = said(settings.readyFile);
  return {
    broker: parseBroker(said(settings.broker) ?? 'mqtt://127.0.0.1:1883'),
    base: said(settings.base) ?? 'hearth',
    data: resolve(said(settings.data) ?? defaultFolder(env)),
    periodMs: Number(said(settings.period) ?? 5000),
    stopServices: said(settings.stopServices) === 'true',
    withParent: flags['with-parent'] === true,
    ...(node === undefined ? {} : { node }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(readyFile === undefined ? {} : { readyFile: resolve(readyFile) }),
  };
}
