/** A TCP proxy before a broker that can do what networks and old brokers do. */
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  readonly url: string;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Bytes that the broker has said so far. */
  readonly said: number;
  /** Cuts every connection without a word (RST). */
  cut(): void;
  /** Bytes are taken and not passed on, in both directions, as on a dead link. New connections too. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

/** What to do about a CONNECT of MQTT 5: pass it on, refuse it with 3.1.1's code 1, or close as very old brokers do. */
export type FiveIs = 'passed' | 'refused' | 'closed';

/** Where the protocol level stands in a CONNECT with one byte of remaining length (MQTT 3.1.1 and 5, section 3.1). */
const levelAt = (packet: Buffer): number => {
  let body = 1;
  while ((packet[body] ?? 0) & 0x80) body++;
  return body + 1 + 2 + 4;
};

export async function startProxy(target: number, five: FiveIs = 'passed'): Promise<TcpProxy> {
  let [frozen, accepted, said] = [false, 0, 0];
  const pairs = new Set<readonly [Socket, Socket]>();
  const waiting = new Set<Socket>();
  const server: Server = createServer(inside => {
    accepted++;
    waiting.add(inside);
    inside.on('close', () => waiting.delete(inside));
    if (frozen) {
      inside.pause();
      inside.on('error', () => {});
      return;
    }
    inside.once('data', first => {
      const refuse = five !== 'passed' && first[levelAt(first)] === 5;
      if (refuse) {
        if (five === 'refused') inside.end(Buffer.from([0x20, 2, 0, 1]));
        else inside.destroy();
        return;
      }
      const outside = connect(target, '127.0.0.1');
      const pair = [inside, outside] as const;
      pairs.add(pair);
      outside.write(first);
      inside.pipe(outside);
      outside.pipe(inside);
      outside.on('data', chunk => {
        said += chunk.length;
      });
      for (const socket of pair) {
        socket.setNoDelay(true);
        socket.on('error', () => {});
        socket.on('close', () => {
          pairs.delete(pair);
          for (const other of pair) other.destroy();
        });
      }
    });
    inside.on('error', () => {});
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
  };
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    get accepted() {
      return accepted;
    },
    get said() {
      return said;
    },
    cut,
    freeze() {
      frozen = true;
      for (const [inside, outside] of pairs) {
        inside.unpipe(outside);
        outside.unpipe(inside);
        inside.pause();
        outside.pause();
      }
    },
    thaw() {
      frozen = false;
    },
    close() {
      cut();
      for (const socket of waiting) socket.destroy();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
}
