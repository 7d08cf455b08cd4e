/**
 * An MQTT 5 broker of a few lines that announces a Receive Maximum and counts whether it is kept (section 4.9), and that
 * refuses subscriptions to what begins with `secret`.
 */
import { createServer } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';

export interface StrictBroker {
  readonly url: string;
  /** Most publishes that were unacknowledged at one time. */
  readonly mostUnderWay: number;
  /** Filters that were asked for, in order. */
  readonly asked: readonly string[];
  close(): void;
}

export async function startStrictBroker(receiveMaximum: number): Promise<StrictBroker> {
  const version = { protocolVersion: 5 as const };
  const asked: string[] = [];
  let mostUnderWay = 0;
  const server = createServer(socket => {
    const underWay: number[] = [];
    const acknowledge = () => {
      const messageId = underWay.shift();
      if (messageId !== undefined) socket.write(generate({ cmd: 'puback', messageId, reasonCode: 0 }, version));
    };
    const read = parser(version);
    read.on('packet', packet => {
      if (packet.cmd === 'connect') {
        const connack = {
          cmd: 'connack',
          reasonCode: 0,
          sessionPresent: false,
          properties: { receiveMaximum },
        } as const;
        socket.write(generate(connack, version));
      } else if (packet.cmd === 'subscribe') {
        asked.push(...packet.subscriptions.map(({ topic }) => topic));
        // 135: not authorized (section 3.9.3).
        const granted = packet.subscriptions.map(({ topic }) => (topic.startsWith('secret') ? 135 : 1));
        socket.write(generate({ cmd: 'suback', messageId: packet.messageId ?? 0, granted } as Packet, version));
      } else if (packet.cmd === 'pingreq') {
        socket.write(generate({ cmd: 'pingresp' }, version));
      } else if (packet.cmd === 'publish' && packet.qos === 1) {
        underWay.push(packet.messageId ?? 0);
        mostUnderWay = Math.max(mostUnderWay, underWay.length);
        // Slower than the sender, so that a sender who does not count runs over.
        setTimeout(acknowledge, 2);
      }
    });
    socket.on('data', chunk => read.parse(chunk));
    socket.on('error', () => {});
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    get mostUnderWay() {
      return mostUnderWay;
    },
    asked,
    close: () => server.close(),
  };
}
