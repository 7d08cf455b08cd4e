/** What the retained topics say about the nodes: gathered once, as a command needs it. */
import type { MqttClient } from 'mqtt';
import type { z } from 'zod';
import { decode } from '../shared/codec.ts';
import { type Is, isPayload } from '../shared/schemas/observed.ts';
import { statusPayload } from '../shared/schemas/presence.ts';
import { type Info, infoPayload } from '../shared/schemas/telemetry.ts';
import { parseTopic } from '../shared/topics.ts';
import { gatherRetained } from './retained.ts';

export interface KnownNode {
  readonly id: string;
  online: boolean;
  info?: Info;
  is?: Is;
}

export interface Known {
  /** The supervisor's own status; undefined where this broker never had one. */
  supervisor?: 'online' | 'offline';
  readonly nodes: Map<string, KnownNode>;
}

const mostNodes = 20_000;

export const json = <S extends z.ZodType>(schema: S, payload: Uint8Array): z.output<S> | undefined => {
  const result = decode(schema, payload);
  return result.ok ? result.value : undefined;
};

/** Takes one message into the picture. Topics that say nothing about nodes are ignored. */
export function learn(known: Known, base: string, topic: string, payload: Uint8Array): void {
  const parsed = parseTopic(topic, base);
  if (!parsed.ok) return;
  if (parsed.value.kind === 'fabric') {
    if (parsed.value.part !== 'status') return;
    const status = statusPayload.safeParse(Buffer.from(payload).toString());
    if (status.success) known.supervisor = status.data;
    return;
  }
  const { noun, target, part } = parsed.value;
  if (noun !== 'node' || target.kind !== 'one' || (part !== 'status' && part !== 'info' && part !== 'is')) return;
  if (payload.length === 0) {
    if (part === 'status') known.nodes.delete(target.id);
    return;
  }
  const node = known.nodes.get(target.id) ?? { id: target.id, online: false };
  if (part === 'status') node.online = Buffer.from(payload).toString() === 'online';
  else if (part === 'info') assign(node, 'info', json(infoPayload, payload));
  else assign(node, 'is', json(isPayload, payload));
  if (known.nodes.size < mostNodes) known.nodes.set(target.id, node);
}

function assign<K extends 'info' | 'is'>(node: KnownNode, key: K, value: KnownNode[K] | undefined): void {
  if (value !== undefined) node[key] = value;
}

/**
 * What is retained about nodes and supervisor, once it has come.
 *
 * @param client without subscriptions of its own: theirs would be taken for these.
 * @param more further parts of nodes, such as `want`, other topics below the base, and who hears every message on the way.
 */
export async function gather(
  client: MqttClient,
  base: string,
  more?: {
    readonly parts: readonly string[];
    readonly others?: readonly string[];
    hear(topic: string, payload: Uint8Array): void;
  },
): Promise<Known> {
  const known: Known = { nodes: new Map() };
  const parts = ['status', 'info', 'is', ...(more?.parts ?? [])];
  const others = (more?.others ?? []).map(other => `${base}/${other}`);
  const heard = (topic: string, payload: Uint8Array) => {
    learn(known, base, topic, payload);
    more?.hear(topic, payload);
  };
  await gatherRetained(client, base, [...parts.map(part => `${base}/node/+/${part}`), ...others], heard);
  return known;
}
