/** A node's way in: TCP, CONNECT with a will, one SUBSCRIBE, and out again. 20 at a time. */
import type { BenchCase } from './case.ts';
import { meter } from './case.ts';
import { WireClient } from './wire-client.ts';

const lanes = 20;

export const connectsCase: BenchCase = {
  name: 'connects',
  title: `connect with a will and subscribe, ${lanes} at a time`,
  figures: [
    { key: 'cpuUs', label: 'CPU µs per connect' },
    { key: 'perSecond', label: 'connects/s' },
    { key: 'refused', label: 'refused', atMost: 0 },
  ],
  async run(broker, spans) {
    let [connected, refused, over] = [0, 0, false];
    const lane = async (number: number) => {
      for (let turn = 0; !over; turn++) {
        const node = `b${number}-${turn % 50}`;
        const client = new WireClient(broker.port);
        try {
          await client.connect(`hearth-${node}`, { topic: `hearth/node/${node}/lwt`, payload: '{"online":false}' });
          await client.subscribe(`hearth/node/${node}/want`, 1);
          connected++;
        } catch {
          refused++;
        }
        client.end();
      }
    };
    const running = Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
    const sample = await meter(broker, spans, () => connected);
    over = true;
    await running;
    return { ...sample, refused };
  },
};
