/** One sentence for every way in which an outside broker can refuse or vanish: what, where, what to do. */

/** What MQTT.js and Node's sockets throw: `code` is a text for sockets and a number for MQTT reason codes. */
interface Fault {
  readonly message: string;
  readonly code?: unknown;
}

const bySocketCode: Record<string, string> = {
  ECONNREFUSED: 'nobody listens there (connection refused): is the broker running, and on this port?',
  ENOTFOUND: 'the name is unknown: check its spelling and the DNS server',
  EAI_AGAIN: 'the name could not be looked up: is the network up?',
  ETIMEDOUT: 'no answer: is the machine on, and does a firewall drop the port?',
  EHOSTUNREACH: 'the machine cannot be reached: is it on, and in this network?',
  ENETUNREACH: 'there is no way to that network: is the network up?',
  ECONNRESET: 'the broker cut the connection',
  EPIPE: 'the broker cut the connection',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself and not trusted here',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that is not trusted here',
  CERT_HAS_EXPIRED: 'its certificate has expired: check its date and this clock',
};

/** CONNACK codes of MQTT 3.1.1 (section 3.2.2.3) and of MQTT 5 (section 3.2.2.2). */
const byReasonCode: Record<number, string> = {
  1: 'it speaks neither MQTT 5 nor 3.1.1',
  2: 'it refuses the client id',
  3: 'it is not ready to serve (server unavailable)',
  4: 'user name or password are wrong',
  5: 'not authorised: give a user name and password that it knows',
  132: 'it speaks neither MQTT 5 nor 3.1.1',
  133: 'it refuses the client id',
  134: 'user name or password are wrong',
  135: 'not authorised: give a user name and password that it knows',
  136: 'it is not ready to serve (server unavailable)',
  137: 'it is busy',
  138: 'it has banned this client',
  139: 'it is shutting down',
  142: 'another client came with the same client id',
  149: 'a message larger than the limit arrived',
  151: 'a quota is used up',
  159: 'too many connections in a short time',
};

/**
 * Whether a connection that ended before CONNACK may have ended for the protocol version: the broker said so, or, as
 * old brokers do, closed without a word or with an answer that the other version's parser cannot read.
 */
export function mayBeTheVersion(fault: Fault | undefined): boolean {
  if (fault?.code === 1 || fault?.code === 132) return true;
  return fault === undefined || fault.code === undefined || fault.code === 'ECONNRESET' || fault.code === 'EPIPE';
}

/** @param where the broker as people know it, never with a password. */
export function faultSentence(where: string, fault: Fault): string {
  const { code, message } = fault;
  const known =
    typeof code === 'number' ? byReasonCode[code] : typeof code === 'string' ? bySocketCode[code] : undefined;
  return `broker ${where}: ${known ?? message}`;
}

/** The text of a DISCONNECT that an MQTT 5 broker sends before it closes (section 3.14.2.1). */
export const farewellSentence = (where: string, code: number): string =>
  `broker ${where}: ${byReasonCode[code] ?? `it closed the connection (reason code ${code})`}`;
