/** The accepted and compiled documents of a cluster, from the retained topics: gathered once, as a command needs them. */
import type { IPublishPacket, MqttClient } from 'mqtt';
import { decodeText, parseJson } from '../shared/codec.ts';
import { isObject } from '../shared/merge-patch.ts';
import { type Want, wantPayload } from '../shared/schemas/want.ts';
import { parseTopic } from '../shared/topics.ts';
import { UserError } from '../shared/user-error.ts';
import { type Document, type NounPath, nouns } from './apply/document.ts';
import type { Accepted } from './apply/plan.ts';
import { json, type Known, learn } from './fleet.ts';
import { afterSilence, type Silence } from './silence.ts';

export interface Retained {
  readonly documents: ReadonlyMap<NounPath, Accepted>;
  readonly wants: ReadonlyMap<string, Want>;
  /** Who is online, and the supervisor's own status. */
  readonly known: Known;
}

/** Where no supervisor ever was, nothing marks the end: the set is taken as complete after this silence. */
const patience = { quietMs: 1000, longestMs: 15_000 };
const mostDocuments = 20_000;

/**
 * Brokers serve the filters of a SUBSCRIBE in their order, and at QoS 0 nothing overtakes: the supervisor's own status,
 * asked for last, is the end. A document that is being changed meanwhile may come without its other half, which follows.
 *
 * @param client without subscriptions of its own to these topics.
 * @throws UserError where it does not become whole.
 */
export async function gatherDocuments(
  client: Pick<MqttClient, 'on' | 'off' | 'subscribeAsync' | 'unsubscribeAsync'>,
  base: string,
  { quietMs, longestMs } = patience,
): Promise<Retained> {
  const documents = new Map<NounPath, Accepted>();
  const wants = new Map<string, Want>();
  const known: Known = { nodes: new Map() };
  let ended = false;
  let finish = () => {};
  const whole = new Promise<void>(resolve => {
    finish = resolve;
  });
  let quiet: Silence | undefined;
  let late: NodeJS.Timeout | undefined;
  const listen = (topic: string, payload: Buffer, packet: IPublishPacket) => {
    learn(known, base, topic, payload);
    learnDocument(base, topic, payload, documents, wants);
    if (topic === `${base}/status` && packet.retain) ended = true;
    quiet?.heard();
    if (ended && isWhole(documents, wants)) finish();
  };
  const parts = [...nouns.map(noun => `${noun}/+/own`), 'node/+/want', 'node/+/status'];
  const filters = [...parts, 'status'].map(part => `${base}/${part}`);
  client.on('message', listen);
  try {
    await client.subscribeAsync(filters, { qos: 0 });
    // Counted from its answer: a broker that is busy is slow to serve, and not without anything.
    quiet = afterSilence(quietMs, () => isWhole(documents, wants) && finish());
    late = setTimeout(finish, longestMs);
    await whole;
    await client.unsubscribeAsync(filters);
  } finally {
    quiet?.stop();
    clearTimeout(late);
    client.off('message', listen);
  }
  if (isWhole(documents, wants)) return { documents, wants, known };
  throw new UserError(
    `The documents of the nodes did not come whole in ${longestMs / 1000} s, so nothing was done: try again; "hearth doctor" may say more.`,
  );
}

/** Every node has both of its documents: one came without the other only in between. */
function isWhole(documents: ReadonlyMap<NounPath, unknown>, wants: ReadonlyMap<string, unknown>): boolean {
  const nodes = [...documents.keys()].filter(path => path.startsWith('node/'));
  return nodes.length === wants.size && nodes.every(path => wants.has(path.slice(5)));
}

/** Takes one retained message into the picture; others than `own` and `want` say nothing here. */
export function learnDocument(
  base: string,
  topic: string,
  payload: Uint8Array,
  documents: Map<NounPath, Accepted>,
  wants: Map<string, Want>,
): void {
  const parsed = parseTopic(topic, base);
  if (!parsed.ok || parsed.value.kind !== 'noun') return;
  const { target, part } = parsed.value;
  const noun = nouns.find(one => parsed.value.kind === 'noun' && one === parsed.value.noun);
  if (target.kind !== 'one' || noun === undefined) return;
  if (part === 'own') {
    const path = `${noun}/${target.id}` as const;
    const own = payload.length === 0 ? undefined : ownOf(payload);
    if (!own) documents.delete(path);
    else if (documents.size < mostDocuments) documents.set(path, own);
  } else if (part === 'want' && noun === 'node') {
    const want = payload.length === 0 ? undefined : json(wantPayload, payload);
    if (!want) wants.delete(target.id);
    else if (wants.size < mostDocuments) wants.set(target.id, want);
  }
}

/** Read leniently: keys that a newer supervisor knows stay what they are. */
function ownOf(payload: Uint8Array): Accepted | undefined {
  const text = decodeText(payload);
  const value = text.ok ? parseJson(text.value) : text;
  if (!value.ok || !isObject(value.value)) return undefined;
  const { rev, ...document } = value.value;
  return typeof rev === 'number' ? { document: document as Document, rev } : undefined;
}
