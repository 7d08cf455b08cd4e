/** What a broker has retained on some topics, all of it and no more. */
import type { IPublishPacket, MqttClient } from 'mqtt';

/** Where no supervisor ever was, nothing marks the end: what came is taken as complete after this silence. */
const quietMs = 1000;

/** The supervisor's own status, asked for last, comes last: it is the end. What `heard` does is over by then. */
export async function gatherRetained(
  client: MqttClient,
  base: string,
  topics: readonly string[],
  heard: (topic: string, payload: Buffer) => void,
): Promise<void> {
  const end = `${base}/status`;
  let complete = () => {};
  const all = new Promise<void>(resolve => {
    complete = resolve;
  });
  const quiet = setTimeout(() => complete(), quietMs);
  client.on('message', (topic: string, payload: Buffer, packet: IPublishPacket) => {
    heard(topic, payload);
    if (topic === end && packet.retain) complete();
    else quiet.refresh();
  });
  await client.subscribeAsync([...topics, end], { qos: 0 });
  quiet.refresh();
  await all;
  clearTimeout(quiet);
}
