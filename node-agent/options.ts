/** What the agent's process runs with: flags over environment over defaults. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type JoinToken, parseJoinToken } from '../shared/join-token.ts';
import { printable } from '../shared/names.ts';
import { type Setting, settings } from '../shared/schemas/config.ts';
import { flagOrEnvironment } from '../shared/settings.ts';
import { UserError } from '../shared/user-error.ts';
import { type BrokerAddress, parseBroker } from './connection/broker-address.ts';

export interface AgentOptions {
  /** Named by a person; absent: that of this machine, or of the cluster. */
  readonly broker?: BrokerAddress;
  /** `HOST:PORT` of the supervisor's HTTP, to ask it to join. */
  readonly supervisor?: string;
  readonly token?: JoinToken;
  readonly base: string;
  readonly data: string;
  readonly periodMs: number;
  readonly stopServices: boolean;
  /** Of the supervisor on this machine, which starts its own node with it. */
  readonly httpPort?: number;
  /** End when stdin closes. */
  readonly withParent: boolean;
  readonly node?: string;
  readonly cluster?: string;
  readonly readyFile?: string;
  /** Apply nothing until told. */
  readonly safe: boolean;
}

/** `hearth agent adopt TOKEN`. */
export interface AdoptOptions {
  /** The token, or `-`. */
  readonly adopt: string;
  readonly data: string;
}

/** `hearth agent --check`, and `--take-back`. */
export interface OnceOptions {
  readonly once: 'check' | 'take-back';
  readonly data: string;
}

export const agentUsage = `Usage: hearth agent [options]
       hearth agent adopt TOKEN|- [--data FOLDER]

  --token TOKEN        join the cluster that the token is of; "hearth token" prints one there
  --supervisor HOST:PORT  where the supervisor is (its HTTP port); it is asked to let this machine in, and somebody
                       approves it there. Default: the token's, else what the network shows (mDNS)
  --broker URL         this MQTT broker, without joining by a certificate (default mqtt://127.0.0.1:1883, where one is)
  --node ID            id of this node (default: the host name, made unique once and then kept)
  --data FOLDER        where the node keeps its keys, its identity, its document and its services' output
  --base NAME          first level of every topic (default: the cluster's, else hearth)
  --cluster FINGERPRINT  join this cluster only; needed once with a --broker on another machine
  --period MS          milliseconds between load messages (default 5000)
  --ready-file FILE    written when the node is connected: {"pid","node"}, with "away":true while it is not again
  --stop-services      stop the services at the end, too
  --with-parent        end when stdin closes
  --safe               safe mode: connect and tell, but apply nothing until "do/resume" on this node

  --check              read what the data folder holds, say whether this agent understands it, and end
  --take-back          put back what was at files' paths before Hearth, and end; no agent may run meanwhile

  adopt                moves a node to the token's cluster: it stays where it is until it is let in there, and then
                       stops what the old cluster started; "-" reads the token from standard input

Every option can be given in the environment, as HEARTH_BROKER, HEARTH_NODE and so on; the token as HEARTH_JOIN_TOKEN,
or in the file join-token of the data folder, which is removed once it has been used.`;

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
      allowPositionals: true,
      options: {
        broker: text,
        supervisor: text,
        token: text,
        node: text,
        data: text,
        base: text,
        cluster: text,
        period: text,
        'ready-file': text,
        'stop-services': flag,
        'with-parent': flag,
        safe: flag,
        check: flag,
        'take-back': flag,
        help: { ...flag, short: 'h' },
      },
    });
  } catch (error) {
    const first = (error as Error).message.split('. ')[0] ?? '';
    throw new UserError(`${printable(first, 200)}: "hearth agent --help" lists the options`, 2);
  }
}

/** `HOST:PORT`, an IPv6 address in brackets; the port may be left out. */
function parseSupervisor(text: string): string {
  const [, host, port = '22581'] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253})(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65535) {
    throw new UserError(`--supervisor: "${printable(text)}" is no HOST:PORT`, 2);
  }
  return `${host}:${Number(port)}`;
}

/** @returns undefined where only help was asked for. Throws a {@link UserError} that names the flag or variable. */
export function readOptions(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): AgentOptions | AdoptOptions | OnceOptions | undefined {
  const { values: flags, positionals } = parse(argv);
  if (flags.help) return undefined;
  const said = (setting: Setting) => {
    const value = flagOrEnvironment(setting, flags[setting.name as keyof typeof flags], env);
    return value === undefined ? undefined : String(value);
  };
  const data = resolve(said(settings.data) ?? defaultFolder(env));
  if (flags.check === true) return { once: 'check', data };
  if (flags['take-back'] === true) return { once: 'take-back', data };
  const [verb, adopt, ...more] = positionals;
  if (verb === 'adopt' && adopt !== undefined && more.length === 0) return { adopt, data };
  if (verb === 'adopt') throw new UserError('adopt takes one token, or "-" to read it from standard input', 2);
  if (verb !== undefined) {
    throw new UserError(`"${printable(verb)}" is no option of the agent: "hearth agent --help" lists them`, 2);
  }
  const cluster = flags.cluster ?? (env.HEARTH_CLUSTER || undefined);
  if (cluster !== undefined && !fingerprint.test(cluster)) {
    throw new UserError(`--cluster: "${printable(cluster)}" is no fingerprint: it has 32 of 0-9 and a-f`, 2);
  }
  const token = flags.token ?? (env.HEARTH_JOIN_TOKEN || undefined);
  const supervisor = flags.supervisor ?? (env.HEARTH_SUPERVISOR || undefined);
  const httpPort = Number(said(settings.httpPort) ?? 0);
  const [node, readyFile, broker] = [said(settings.node), said(settings.readyFile), said(settings.broker)];
  return {
    base: said(settings.base) ?? 'hearth',
    data,
    periodMs: Number(said(settings.period) ?? 5000),
    stopServices: said(settings.stopServices) === 'true',
    withParent: flags['with-parent'] === true,
    safe: flags.safe === true,
    ...(httpPort === 0 ? {} : { httpPort }),
    ...(broker === undefined ? {} : { broker: parseBroker(broker) }),
    ...(token === undefined ? {} : { token: parseJoinToken(token) }),
    ...(supervisor === undefined ? {} : { supervisor: parseSupervisor(supervisor) }),
    ...(node === undefined ? {} : { node }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(readyFile === undefined ? {} : { readyFile: resolve(readyFile) }),
  };
}
