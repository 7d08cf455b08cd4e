/** What one SUBSCRIBE to one exact topic costs a broker that holds 100,000 retained messages. */
import type { BenchCase } from './case.ts';
import { drain, meter } from './case.ts';
import { publishPacket, subscribePacket } from './packets.ts';
import { connectMany, type Entrance, WireClient } from './wire-client.ts';

const messages = 100_000;
const payload = Buffer.alloc(100, 'x');
/** The shape of Home Assistant's discovery topics, outside Hearth's base. */
const topicOf = (index: number) => `homeassistant/sensor/device${index % 1000}/value${Math.floor(index / 1000)}/config`;
const [askers, topicsEach] = [50, 50];

/** At QoS 1, a thousand under way at a time. */
async function load(broker: Entrance): Promise<void> {
  const client = new WireClient(broker);
  await client.connect('bench-loader');
  let [sent, acked] = [0, 0];
  const more = () => {
    for (; sent < messages && sent - acked < 1000; sent++) {
      client.write(publishPacket(topicOf(sent), payload, 1, (sent % 60_000) + 1, true));
    }
  };
  client.events.acked = count => {
    acked += count;
    more();
  };
  more();
  const missing = await drain(() => messages - acked);
  client.end();
  if (missing > 0) throw new Error(`${missing} of ${messages} retained messages were not acknowledged`);
}

export const retainedCase: BenchCase = {
  name: 'retained',
  title: `SUBSCRIBE to an exact topic, ${messages.toLocaleString('en-US')} retained`,
  figures: [
    { key: 'cpuUs', label: 'CPU µs per SUBSCRIBE', ratioAtMost: 3 },
    { key: 'perSecond', label: 'SUBSCRIBE/s' },
    { key: 'missing', label: 'retained messages missing', atMost: 0 },
  ],
  async run(broker, spans) {
    await load(broker);
    const clients = await connectMany(broker, askers, index => `bench-asker-${index}`);
    let [answered, asked, over] = [0, 0, false];
    // One under way per client. Each goes around topics of its own, as a broker may bound a client's subscriptions; a
    // repeated SUBSCRIBE replays the retained message again (MQTT 3.1.1, section 3.8.4).
    clients.forEach((client, number) => {
      let turn = 0;
      const ask = () => {
        const index = ((number * topicsEach + (turn++ % topicsEach)) * 7919) % messages;
        client.write(subscribePacket((turn % 60_000) + 1, topicOf(index), 0));
        asked++;
      };
      client.events.published = count => {
        answered += count;
        if (!over) ask();
      };
      ask();
    });
    const sample = await meter(broker, spans, () => answered);
    over = true;
    const missing = await drain(() => asked - answered);
    for (const client of clients) client.end();
    return { ...sample, missing };
  },
};
