/** `hearth logs`: the last lines that services printed, and with `--follow` what they go on to print. */

import type { MqttClient } from 'mqtt';
import type { Clock } from '../../shared/clock.ts';
import { followLimits } from '../../shared/limits.ts';
import { checkId, isItemName, printable } from '../../shared/names.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { UserError } from '../../shared/user-error.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { untilEndedBy } from '../ending.ts';
import { LogSource, type ServiceAddress } from '../log-source.ts';

export interface LogsFlags extends ClientFlags {
  readonly follow?: boolean;
  readonly lines?: string;
}

const usualLines = 20;
/** Between two tries to connect again, milliseconds; doubled each time. */
const [firstPauseMs, longestPauseMs] = [500, 30_000];

/** `NODE/SERVICE` each, or the node first and then the names of its services. @throws UserError for anything else. */
export function readAddresses(words: readonly string[]): readonly ServiceAddress[] {
  const [first = '', ...rest] = words;
  const slashes = words.filter(word => word.includes('/')).length;
  if (slashes !== 0 && slashes !== words.length) {
    throw new UserError('Name every service as NODE/SERVICE, or first the node and then its services.', 2);
  }
  if (slashes === 0 && rest.length === 0) {
    throw new UserError(`Which service of ${printable(first)}? Write ${printable(first)}/SERVICE.`, 2);
  }
  const pairs = slashes === 0 ? rest.map(service => [first, service]) : words.map(word => split(word));
  return pairs.map(([node = '', service = '']) => {
    const id = checkId(node, 'node');
    if (!id.ok) throw new UserError(`${id.error.message}.`, 2);
    if (!isItemName(service)) throw new UserError(`"${printable(service)}" is not the name of a service.`, 2);
    return { node, service };
  });
}

const split = (word: string): readonly [string, string] => {
  const at = word.indexOf('/');
  return [word.slice(0, at), word.slice(at + 1)];
};

export function readLines(text: string | undefined): number {
  if (text === undefined) return usualLines;
  const lines = Number(text);
  if (/^\d+$/.test(text) && lines <= followLimits.lines) return lines;
  throw new UserError(`--lines: "${printable(text)}" is not a number from 0 to ${followLimits.lines}.`, 2);
}

/** @returns 0; 1 where a service could not be asked; with `--follow` as the signal that ended it, 130 for Ctrl-C. */
export async function logs(words: readonly string[], flags: LogsFlags): Promise<number> {
  const addresses = readAddresses(words);
  const lines = readLines(flags.lines);
  const { client, base } = await connect(flags);
  const clock = systemClock();
  const prefixed = addresses.length > 1;
  const sources = addresses.map(address => {
    const prefix = prefixed ? `${address.node}/${address.service} | ` : '';
    const print = (line: string) => console.log(`${prefix}${line}`);
    const warn = (text: string) => console.error(`hearth: ${text}`);
    return new LogSource({ client, clock, base, address, print, warn });
  });
  let failed = 0;
  const fail = (error: Error) => {
    failed++;
    console.error(`hearth: ${error.message}`);
  };
  const ended = flags.follow ? untilEndedBy() : undefined;
  try {
    await Promise.all(sources.map(source => source.ask(lines, flags.follow === true).catch(fail)));
    if (!ended || failed === sources.length) return failed === 0 ? 0 : 1;
    stayConnected(client, clock, () => {
      for (const source of sources) source.connectedAgain();
    });
    return await ended;
  } finally {
    for (const source of sources) source.close();
    client.removeAllListeners('close');
    await disconnect(client);
  }
}

/** Connects again for as long as it takes, ever less often: many may have lost the same broker. */
function stayConnected(client: MqttClient, clock: Clock, connected: () => void): void {
  let pauseMs = firstPauseMs;
  let lost = false;
  client.on('close', () => {
    if (!lost) console.error('hearth: the connection is lost; trying again …');
    lost = true;
    clock.after(pauseMs * (0.5 + systemRandom().next() / 2), () => client.reconnect());
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  });
  client.on('connect', () => {
    pauseMs = firstPauseMs;
    lost = false;
    connected();
  });
}
