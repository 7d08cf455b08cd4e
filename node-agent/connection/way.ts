/** How a link comes to the broker: the socket of one connect, and what became of it. */
import { connect, type Socket } from 'node:net';
import type { SupervisorAt } from '../artifacts/supervisor-at.ts';
import { type BrokerAddress, isAddress } from './broker-address.ts';
import { openVerified } from './verified-socket.ts';

/** `refused`: the broker, or TLS in its name, said no. `lost`: it was never reached, or the connection broke. */
export type Outcome = 'up' | 'refused' | 'lost';

export interface Opening {
  /** The other end may be spoken to. What is written before a plain socket is connected is sent then. */
  ready(socket: Socket): void;
  /** Instead of `ready`, once. */
  failed(reason: string): void;
}

export interface Way {
  /** @returns how to give up before `ready`; `failed` follows. */
  open(on: Opening): () => void;
  /** How the connect that `open` began went: `up` when it is subscribed, the others at its end. */
  came?(how: Outcome): void;
  /** Where the supervisor answers over HTTP; undefined where nobody knows. */
  supervisor?(): SupervisorAt | undefined;
  readonly username?: string;
  readonly password?: string;
}

/** The broker may be this slow to be reached. */
export const openTimeoutMs = 5000;

/** Where a supervisor's HTTP is on its own machine. */
const usualHttpPort = 22581;

/**
 * To an address that a person named: plain, or with TLS as the machine's own list of CAs trusts it.
 * @param httpPort of the supervisor, where it is known to run on this machine.
 */
export function wayTo(broker: BrokerAddress, httpPort?: number): Way {
  const { host, port } = broker;
  const http = httpPort ?? (broker.loopback ? usualHttpPort : undefined);
  return {
    supervisor: () => (http === undefined ? undefined : { urls: [`http://127.0.0.1:${http}`] }),
    ...(broker.username === undefined ? {} : { username: broker.username }),
    ...(broker.password === undefined ? {} : { password: broker.password }),
    open(on) {
      if (broker.tls) {
        const servername = isAddress(host) ? {} : { servername: host };
        return openVerified(
          { host, port, ...servername, trust: 'machine', timeoutMs: openTimeoutMs },
          { ready: on.ready, failed: failure => on.failed(failure.sentence) },
        );
      }
      const socket = connect({ host, port });
      socket.setNoDelay(true);
      on.ready(socket);
      return () => void socket.destroy();
    },
  };
}
