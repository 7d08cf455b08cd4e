/** MQTT over TLS: the embedded broker against Mosquitto with the same certificates and the same version of TLS. */
import type { BenchCase } from '../broker/case.ts';
import { compared, inTurns, type Outcome, type Turns } from '../broker/compare.ts';
import { connects, lanes } from '../broker/connects.ts';
import { type Contender, hearth, mosquitto } from '../broker/contenders.ts';
import type { Table } from '../table.ts';
import { throughput } from './access.ts';
import { type Credentials, certifiedNodes } from './credentials.ts';
import { memoryCase } from './memory.ts';

const each = certifiedNodes / lanes;
const handshakes = connects(
  'TLS handshake with a client certificate, CONNECT, SUBSCRIBE',
  (lane, turn) => `n${lane * each + (turn % each)}`,
);

/** The targets of the plain broker do not count here. */
export const secureCases: readonly BenchCase[] = [...throughput, handshakes, memoryCase].map(bench => ({
  ...bench,
  name: `tls-${bench.name}`,
  figures: bench.figures.map(({ ratioAtMost: _, ...rest }) => rest),
}));

export async function secureTable(
  cases: readonly BenchCase[],
  credentials: Credentials,
  turns: Turns,
  profile: string | undefined,
): Promise<{ table: Table; outcomes: Outcome[]; contenders: readonly Contender[] }> {
  const { trust, open } = credentials;
  const ours = await hearth({ profile, open, trust: { ...trust, tls: true } });
  const peer = mosquitto(credentials.mosquitto, open);
  if (!peer) console.log('mosquitto is not installed: no peer in this run (apt install mosquitto)');
  const contenders = peer ? [ours, peer] : [ours];
  const outcomes = await inTurns(cases, contenders, turns);
  const title = 'MQTT over TLS against Mosquitto';
  return {
    table: compared(title, cases, outcomes, ['hearth', 'Hearth'], ['mosquitto', 'Mosquitto']),
    outcomes,
    contenders,
  };
}
