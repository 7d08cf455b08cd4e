/** A node's way in: TCP, CONNECT with a will, one SUBSCRIBE, and out again. 20 at a time. */
import type { BenchCase } from './case.ts';
import { meter } from './case.ts';
import { WireClient } from './wire-client.ts';

export const lanes = 20;

/** @param nodeOf whom a lane connects as in this turn: nobody who is still connected. */
export const connects = (title: string, nodeOf: (lane: number, turn: number) => string): BenchCase => ({
  name: 'connects',
  title: `${title}, ${lanes} at a time`,
  figures: [
    { key: 'cpuUs', label: 'CPU µs per connect' },
    { key: 'perSecond', label: 'connects/s' },
    { key: 'refused', label: 'refused', atMost: 0 },
  ],
  async run(broker, spans) {
    let [connected, refused, over] = [0, 0, false];
    const lane = async (number: number) => {
      for (let turn = 0; !over; turn++) {
        const node = nodeOf(number, turn);
        const client = new WireClient(broker);
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
});

export const connectsCase = connects('connect with a will and subscribe', (lane, turn) => `b${lane}-${turn % 50}`);
