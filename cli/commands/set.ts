/** `hearth set`: publishes one key of a node's document, prints the supervisor's answer, and can wait for the node. */
import { randomBytes } from 'node:crypto';
import type { IPublishPacket, MqttClient } from 'mqtt';
import { printable } from '../../shared/names.ts';
import { type ResultMessage, resultPayload } from '../../shared/schemas/fabric.ts';
import { type Is, type ItemStatus, isPayload } from '../../shared/schemas/observed.ts';
import { looksSealed } from '../../shared/sealed-value.ts';
import { topicsOf } from '../../shared/topics.ts';
import { UserError } from '../../shared/user-error.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { json, type Known, learn } from '../fleet.ts';
import { itemText } from '../narrator.ts';
import { giveBack, keyLevels, readValueArgument, setTopic, type Value } from '../set-input.ts';
import { supervisorAway } from './nodes.ts';

export interface SetFlags extends ClientFlags {
  readonly clear?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
}

const answerMs = 10_000;
const defaultWaitS = 60;
/** A little longer than the pause between two `is` of a node (1 s). */
const settleMs = 1300;

/** @returns 0 when accepted (with `--wait`: and reached), 1 when refused. */
export async function set(node: string, key: string, words: readonly string[], flags: SetFlags): Promise<number> {
  const waitMs = 1000 * readSeconds(flags.timeout);
  const value = await readWords(words, flags.clear === true);
  try {
    const levels = keyLevels(key);
    return await send(node, levels, value, flags, waitMs);
  } catch (error) {
    if (error instanceof UserError && value.bytes.length > 0) {
      throw new UserError(`${error.message}\n${giveBack(value)}`, error.exitCode);
    }
    throw error;
  }
}

/** Sets one key to a value that is read already. */
export const sendSet = async (node: string, levels: readonly string[], value: Value, flags: SetFlags) =>
  await send(node, levels, value, flags, 1000 * readSeconds(flags.timeout));

function readSeconds(text: string | undefined): number {
  if (text === undefined) return defaultWaitS;
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 86_400) return seconds;
  throw new UserError(`--timeout: "${printable(text)}" is not a number of seconds between 0 and 86400.`, 2);
}

async function readWords(words: readonly string[], clear: boolean): Promise<Value> {
  const [argument, ...more] = words;
  const sent = words.some(word => word !== '') ? ` You typed: ${printable(words.join(' '), 2000)}` : '';
  if (clear) {
    if (argument !== undefined) throw new UserError(`--clear takes no value.${sent}`, 2);
    return { bytes: Buffer.alloc(0), typed: false };
  }
  if (argument === undefined)
    throw new UserError('What to set? Give a value, @FILE, "-" (standard input) or --clear.', 2);
  if (more.length > 0)
    throw new UserError(`A value of several words goes in quotes: '${printable(words.join(' '), 2000)}'`, 2);
  const value = await readValueArgument(argument);
  if (value.bytes.length === 0) {
    throw new UserError(`The value is empty, which would clear the key: say --clear where that is meant.${sent}`, 2);
  }
  return value;
}

async function send(node: string, levels: readonly string[], value: Value, flags: SetFlags, waitMs: number) {
  const { client, base, broker } = await connect(flags);
  const topics = topicsOf(base);
  try {
    const topic = setTopic(base, node, levels);
    const mark = randomBytes(8);
    const reply = `hearth-cli/${mark.toString('hex')}`;
    const watcher = new Watcher(client, base, node);
    const filters = [
      topics.fabric('status'),
      topics.fabric('result'),
      ...(['status', 'is', 'result'] as const).map(part => topics.node(node, part)),
      reply,
    ];
    await client.subscribeAsync(filters, { qos: 1 });
    const mine = isAnswer(topics, node, levels, client.options.clientId ?? '', value, { reply, mark });
    const answered = watcher.next(answerMs, mine);
    const properties = { responseTopic: reply, correlationData: mark };
    await client.publishAsync(topic, value.bytes, {
      qos: 1,
      ...(client.options.protocolVersion === 5 ? { properties } : {}),
    });
    const result = await answered;
    if (!result) {
      const why =
        watcher.known.supervisor === 'online' ? 'it may be busy' : supervisorAway(watcher.known, base, broker);
      throw new UserError(`No answer in ${answerMs / 1000} s, so it is not known whether it was taken: ${why}`);
    }
    if (!result.ok) throw new UserError(`Refused: ${result.error ?? 'no reason was given'}`);
    console.log(`accepted as revision ${result.rev ?? '?'}: ${describe(node, levels, value)}`);
    const item = levels[0] === 'services' && levels[1] !== undefined ? `services/${levels[1]}` : undefined;
    if (flags.wait) return await converge(watcher, node, result.rev ?? 0, item, waitMs);
    if (!watcher.online) console.log(`${node} is offline and will do it when it is back.`);
    return 0;
  } finally {
    await disconnect(client);
  }
}

const describe = (node: string, levels: readonly string[], value: Value): string => {
  const key = levels.length === 0 ? 'its document' : levels.join('.');
  if (looksSealed(value.bytes.toString())) return `${node}: ${key} = (sealed)`;
  return value.bytes.length === 0
    ? `${node}: ${key} cleared`
    : `${node}: ${key} = ${printable(value.bytes.toString().trimEnd())}`;
};

/** Whether a message answers this very `set`: by correlation data, else by sender, else by key and value. */
function isAnswer(
  topics: ReturnType<typeof topicsOf>,
  node: string,
  levels: readonly string[],
  clientId: string,
  value: Value,
  asked: { readonly reply: string; readonly mark: Buffer },
) {
  const echoed = printable(value.bytes.toString().replace(/\n$/, ''));
  return (topic: string, payload: Buffer, packet: IPublishPacket): ResultMessage | undefined => {
    if (topic !== asked.reply && topic !== topics.node(node, 'result') && topic !== topics.fabric('result')) return;
    const result = json(resultPayload, payload);
    if (!result || (result.part !== 'set' && topic !== topics.fabric('result'))) return;
    const correlation = packet.properties?.correlationData;
    if (topic === asked.reply) return correlation === undefined || asked.mark.equals(correlation) ? result : undefined;
    if (result.by !== undefined) return result.by === clientId ? result : undefined;
    if (topic === topics.fabric('result') || packet.retain) return;
    return (result.key ?? '') === levels.join('.') && (result.value ?? echoed) === echoed ? result : undefined;
  };
}

/** Keeps what the topics of one node say, and lets somebody wait for the message that matters. */
class Watcher {
  readonly known: Known = { nodes: new Map() };
  is: Is | undefined;
  private look: ((topic: string, payload: Buffer, packet: IPublishPacket) => void) | undefined;
  private readonly node: string;

  constructor(client: MqttClient, base: string, node: string) {
    this.node = node;
    const topics = topicsOf(base);
    client.on('message', (topic, payload, packet) => {
      learn(this.known, base, topic, payload);
      if (topic === topics.node(node, 'is')) this.is = json(isPayload, payload) ?? this.is;
      this.look?.(topic, payload, packet);
    });
  }

  get online(): boolean {
    return this.known.nodes.get(this.node)?.online === true;
  }

  /** The first message that `pick` makes something of, or undefined when time is up. */
  next<T>(ms: number, pick: (topic: string, payload: Buffer, packet: IPublishPacket) => T | undefined) {
    return new Promise<T | undefined>(resolve => {
      const end = (value: T | undefined) => {
        clearTimeout(timer);
        this.look = undefined;
        resolve(value);
      };
      const timer = setTimeout(() => end(undefined), ms);
      this.look = (...message) => {
        const value = pick(...message);
        if (value !== undefined) end(value);
      };
    });
  }
}

/** Waits until the node has attempted the revision, and says how it went. */
async function converge(watcher: Watcher, node: string, rev: number, item: string | undefined, ms: number) {
  // A set that changed nothing is answered with the revision that the document already has.
  const reached = (): Is | undefined => {
    const { is } = watcher;
    if (!is || is.rev < rev) return undefined;
    return item !== undefined && isMoving(is.items[item]?.state) ? undefined : is;
  };
  if (!watcher.online) console.log(`${node} is offline; waiting for it …`);
  const before = reached();
  const first = before ?? (await watcher.next(ms, reached));
  if (!first) {
    const state = item && watcher.is?.items[item]?.state;
    throw new UserError(
      `${node} has not reached revision ${rev} in ${ms / 1000} s (it says ${watcher.is?.rev ?? 'nothing'}${state ? `, ${item} is ${state}` : ''}); it was accepted and stays wanted.`,
    );
  }
  // A script that fails at its first line runs until then.
  const fresh = item !== undefined && !before && first.items[item]?.state === 'running';
  const fell = () => (watcher.is?.items[item ?? '']?.state === 'running' ? undefined : watcher.is);
  const is = (fresh ? await watcher.next(settleMs, fell) : undefined) ?? watcher.is ?? first;
  const status = item === undefined ? undefined : is.items[item];
  const what = item === undefined ? 'done' : status ? `${item} is ${outcome(status)}` : `${item} is gone`;
  console.log(`${node}: ${what}`);
  if (is.err && concerns(is.err, item)) throw new UserError(`${node}: ${printable(is.err, 500)}`);
  return status && isBad(status) ? 1 : 0;
}

/** As `watch` says it, with the process in brackets. */
const outcome = ({ pid, ...status }: ItemStatus): string =>
  `${itemText(status)}${pid === undefined ? '' : ` (pid ${pid})`}`;

const isBad = ({ state, exit }: ItemStatus): boolean =>
  /^(crash-loop|failed|backoff)$/.test(state) || (state === 'exited' && exit !== 0);

/** `is.err` names the first service that is not as wanted: another one's trouble is no answer to this `set`. */
const concerns = (err: string, item: string | undefined): boolean =>
  item === undefined || !err.startsWith('services/') || err.startsWith(`${item}: `);

const isMoving = (state: string | undefined): boolean => state === 'starting' || state === 'stopping';
