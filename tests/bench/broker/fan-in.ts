/**
 * 200 nodes publish, one client listens. Each message is a segment of its own from a connection of its own, as
 * telemetry is. Closed loop: the listener's receipts release the next messages, so at most `window` are under way.
 */
import type { BenchCase } from './case.ts';
import { drain, meter } from './case.ts';
import { PublishRing } from './packets.ts';
import { connectMany, WireClient } from './wire-client.ts';

const nodes = 200;
const window = 1000;
const payload = Buffer.alloc(200, 'x');

/** @param part the node's own topic that is written: only the node itself may. */
function fanIn(qos: 0 | 1, part: 'load' | 'done', ratioAtMost: number): BenchCase {
  return {
    name: `fan-in-qos${qos}`,
    title: `fan-in ${nodes} → 1, QoS ${qos}, 200 B`,
    figures: [
      { key: 'cpuUs', label: 'CPU µs per message', ratioAtMost },
      { key: 'perSecond', label: 'messages/s' },
      { key: 'lost', label: 'lost', atMost: 0 },
    ],
    async run(broker, spans) {
      const listener = new WireClient(broker);
      await listener.connect('bench-listener');
      await listener.subscribe(`hearth/node/+/${part}`, qos);
      const clients = await connectMany(broker, nodes, index => `hearth-n${index}`);
      const rings = clients.map((_, i) => new PublishRing(`hearth/node/n${i}/${part}`, payload, qos, 1000));
      let [sent, received, next, over] = [0, 0, 0, false];
      const send = (count: number) => {
        sent += count;
        for (let i = 0; i < count; i++) {
          clients[next]?.socket.write(rings[next]?.next() as Buffer);
          next = next + 1 === nodes ? 0 : next + 1;
        }
      };
      listener.events.published = count => {
        received += count;
        if (!over) send(count);
      };
      send(window);
      const sample = await meter(broker, spans, () => received);
      over = true;
      const lost = await drain(() => sent - received);
      for (const client of [listener, ...clients]) client.end();
      return { ...sample, lost };
    },
  };
}

export const fanInCases = [fanIn(0, 'load', 1.2), fanIn(1, 'done', 2)];
