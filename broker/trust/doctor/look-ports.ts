/** Whether the supervisor answers where it should, and where it does not run, whether its ports are free. */
import { connect, createServer } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { serverName } from '../../../shared/schemas/trust.ts';
import { bad, type Finding, fine } from './finding.ts';

const answerMs = 3000;

export interface Ports {
  readonly mqtt: number;
  readonly http: number;
  /** With --lan. */
  readonly tls?: number | undefined;
}

type Port = readonly [name: string, flag: string, port: number, open: boolean];

const portsOf = ({ mqtt, http, tls }: Ports): readonly Port[] => [
  ['MQTT', '--mqtt-port', mqtt, false],
  ['HTTP', '--http-port', http, tls !== undefined],
  ...(tls === undefined ? [] : [['MQTT over TLS', '--tls-port', tls, true] as const]),
];

/** For a supervisor that runs: every port takes connections. */
export async function lookAtOpenPorts(ports: Ports): Promise<readonly Finding[]> {
  const looked = portsOf(ports).map(async ([name, , port]) => {
    if (await answers(port)) return fine('ports', `${name} on ${port} takes connections`);
    const fix = 'restart the supervisor; where it is busy, its log (logs/supervisor.log) says with what';
    return bad('ports', `${name} on ${port} does not answer, though the supervisor runs`, fix);
  });
  return await Promise.all(looked);
}

/** For one that does not: nobody else is there. 0 is any free port. */
export async function lookAtFreePorts(ports: Ports): Promise<readonly Finding[]> {
  const looked = portsOf(ports)
    .filter(([, , port]) => port !== 0)
    .map(async ([name, flag, port, open]) => {
      const problem = await whyTaken(port, open ? undefined : '127.0.0.1');
      if (problem === undefined) return fine('ports', `${port} is free for ${name}`);
      const text = `${port}, for ${name}, cannot be had (${problem})`;
      if (problem === 'EACCES') return bad('ports', text, `take a port above 1023 with ${flag}`);
      return bad(
        'ports',
        text,
        `end the program that has it (ss -ltnp 'sport = :${port}' names it), or take another with ${flag}; a supervisor on another data folder is looked at with --data`,
      );
    });
  return await Promise.all(looked);
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(answerMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

function whyTaken(port: number, host: string | undefined): Promise<string | undefined> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', error => resolve((error as NodeJS.ErrnoException).code ?? error.message));
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => server.close(() => resolve(undefined)));
  });
}

/** What an agent checks when it connects: chain, name and dates of the certificate that is really shown. */
export function lookAtTls(port: number, cluster: string, ca: readonly string[]): Promise<Finding> {
  return new Promise(resolve => {
    const servername = serverName(cluster);
    const socket = tlsConnect({ host: '127.0.0.1', port, servername, ca: [...ca], rejectUnauthorized: false });
    const end = (finding: Finding) => {
      socket.destroy();
      resolve(finding);
    };
    socket.setTimeout(answerMs, () => end(bad('tls', `no TLS handshake on ${port} in 3 s`, 'restart the supervisor')));
    socket.once('error', error => end(bad('tls', `no TLS on ${port} (${error.message})`, 'restart the supervisor')));
    socket.once('secureConnect', () => {
      if (socket.authorized)
        end(fine('tls', `${port} shows a certificate that nodes accept (${socket.getProtocol()})`));
      else {
        const text = `${port} shows a certificate that nodes refuse (${String(socket.authorizationError)})`;
        end(bad('tls', text, '"hearth ca renew-server" makes a new one; is the clock right?'));
      }
    });
  });
}
