/** What trust costs: a hundred machines that join at once, the checks of who may do what, and TLS beside Mosquitto's. */
import { mkdirSync } from 'node:fs';
import type { BenchCase } from './broker/case.ts';
import { hearthVersion, mosquittoSettings } from './broker/contenders.ts';
import { pinning, pinSelf } from './pin.ts';
import type { BenchOptions, Report } from './report.ts';
import type { Table } from './table.ts';
import { accessCases, accessTable } from './tls/access.ts';
import { makeCredentials, version } from './tls/credentials.ts';
import { joinTable, machines } from './tls/joins.ts';
import { lineTable } from './tls/line.ts';
import { secureCases, secureTable } from './tls/secure.ts';

const names = ['join', 'line', ...[...accessCases, ...secureCases].map(({ name }) => name)];

export async function run(options: BenchOptions): Promise<Report> {
  const { quick, only, profile } = options;
  const wanted = (name: string) => only.length === 0 || only.some(word => name.startsWith(word));
  if (!names.some(wanted)) throw new Error(`no such case; there are: ${names.join(', ')}`);
  if (profile) mkdirSync(profile, { recursive: true });
  const spans = quick ? { warmMs: 1000, measureMs: 1500 } : { warmMs: 2000, measureMs: 4000 };
  const rounds = options.rounds ?? (quick ? 1 : 5);
  // Its target is a few hundredths: more pairs than where brokers are compared, and each twice as long.
  const pairs = options.rounds ?? (quick ? 2 : 10);
  const chosen = (cases: readonly BenchCase[]) => cases.filter(({ name }) => wanted(name));
  const [access, secure] = [chosen(accessCases), chosen(secureCases)];

  pinSelf(1);
  const tables: Table[] = [];
  const raw: Record<string, unknown> = {};
  let versions = [hearthVersion];
  const keep = (name: string, { table, ...rest }: { readonly table: Table } & object) => {
    tables.push(table);
    raw[name] = rest;
  };
  if (wanted('join')) keep('join', await joinTable(rounds));
  if (wanted('line')) keep('line', await lineTable());
  const credentials = await makeCredentials();
  // Both at once, each half of the time.
  const doubled = { warmMs: spans.warmMs * 2, measureMs: spans.measureMs * 2 };
  const turns = { rounds: pairs, spans: doubled };
  if (access.length > 0) keep('access', await accessTable(access, credentials, turns, profile));
  if (secure.length > 0) {
    const { contenders, ...found } = await secureTable(secure, credentials, { rounds, spans }, profile);
    versions = contenders.map(contender => contender.version);
    keep('secure', found);
  }
  const seconds = `${spans.warmMs / 1000} s warm-up and ${spans.measureMs / 1000} s measured per case`;
  return {
    name: 'tls',
    title: 'Trust and TLS',
    versions: [...versions, `OpenSSL ${process.versions.openssl}`],
    conditions: [
      pinning('supervisor and brokers'),
      `medians of ${rounds} rounds (access checks: ${pairs}), in turns, a fresh process each, ${seconds}`,
      `${version}, certificates on P-256 on both sides, the client's asked for and checked`,
      `mosquitto.conf: ${mosquittoSettings.join(', ')}`,
    ],
    tables,
    notes: [
      `Joining: ${machines} of the agent's own join clients begin in the same moment, in one process on the other core; each makes three HTTPS connections (trust bundle, time, request). Wall time is theirs, until the last one has checked its certificate; CPU is the supervisor's, all threads.`,
      'Online: the same machines as agents, each with its certificate over MQTT with TLS, until the supervisor has said "online" of every one.',
      'Access checks: fan-in nodes are taken for nodes and everybody else for an operator with a certificate; every packet passes the table and the rate limits of its client, which are out of reach. "Without" is built from the same sources with the table replaced by one that always says yes, and lets everybody in as the owner. The two run at the same time on one core, 150 ms each in turns. In brackets: between which two ratios the middle half of the pairs lies.',
      'TLS: Mosquitto asks for client certificates and takes their names as user names, and has no access list; Hearth has its accounts, its table and its limits.',
      'CPU is user and system time of the broker process, all threads. Ratios are medians of the ratios within each round.',
      'Throughput and connects are bounded by the generator (one Node process), which does the other half of the encryption.',
    ],
    raw,
  };
}
