/** What a broker has retained on some topics, all of it and no more. */
import type { IPublishPacket, MqttClient } from 'mqtt';
import { afterSilence, type Silence } from './silence.ts';

/** Where no supervisor ever was, nothing marks the end: what came is taken as complete after this silence. */
const quietMs = 1000;
/** After it, what came has to do. */
const longestMs = 15_000;

/**
 * Brokers serve the filters of a SUBSCRIBE in their order, and at QoS 0 nothing overtakes: the supervisor's own status,
 * asked for last, comes last and is the end. What `heard` does is over by then.
 *
 * @param client without subscriptions of its own to these topics: what comes by those would be taken for this.
 */
export async function gatherRetained(
  client: MqttClient,
  base: string,
  topics: readonly string[],
  heard: (topic: string, payload: Buffer) => void,
): Promise<void> {
  const end = `${base}/status`;
  const filters = [...topics, end];
  let complete = () => {};
  const all = new Promise<void>(resolve => {
    complete = resolve;
  });
  let quiet: Silence | undefined;
  let late: NodeJS.Timeout | undefined;
  const listen = (topic: string, payload: Buffer, packet: IPublishPacket) => {
    heard(topic, payload);
    if (topic === end && packet.retain) complete();
    else quiet?.heard();
  };
  client.on('message', listen);
  try {
    await client.subscribeAsync(filters, { qos: 0 });
    // Counted from its answer: a broker that is busy is slow to serve, and not without anything.
    quiet = afterSilence(quietMs, () => complete());
    late = setTimeout(() => complete(), longestMs);
    await all;
  } finally {
    quiet?.stop();
    clearTimeout(late);
    client.off('message', listen);
  }
  await client.unsubscribeAsync(filters).catch(() => {});
}
