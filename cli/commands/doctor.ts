/** `hearth doctor`: looks at the whole set-up from the supervisor's machine, and says the fix for what is wrong. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type Flags, resolveConfig, type SupervisorConfig, surroundings } from '../../broker/config.ts';
import { bad, type Finding, skipped } from '../../broker/trust/doctor/finding.ts';
import {
  judgeClocks,
  judgeHeard,
  judgeNode,
  judgeNodeCertificates,
  judgeOwnClock,
  judgeSupervisor,
  judgeVersions,
  type NodeFacts,
} from '../../broker/trust/doctor/judge.ts';
import {
  lookAtCertificates,
  lookAtDisk,
  lookAtFolder,
  lookAtKeys,
  readShort,
} from '../../broker/trust/doctor/look-files.ts';
import { lookAtFreePorts, lookAtOpenPorts, lookAtTls } from '../../broker/trust/doctor/look-ports.ts';
import { browse } from '../../node-agent/discovery/browse.ts';
import { builtMs } from '../../shared/built.ts';
import { parseJson } from '../../shared/codec.ts';
import { signerFromPem } from '../../shared/ed25519.ts';
import { printable } from '../../shared/names.ts';
import { systemClock } from '../../shared/system-clock.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';
import { connect, disconnect } from '../connection.ts';
import { gather } from '../fleet.ts';
import { isPort } from '../running-supervisor.ts';
import { version } from '../version.ts';

export interface DoctorFlags extends Flags {
  readonly json?: boolean;
}

const mdnsMs = 3000;

interface Running {
  readonly pid: number;
  readonly mqtt: number;
  readonly http: number;
  readonly tls?: number;
}

/** @returns 1 where something is wrong; warnings alone are 0. */
export async function doctor({ json, ...flags }: DoctorFlags): Promise<number> {
  const config = resolveConfig(flags, surroundings());
  const findings = await examine(config);
  if (json) console.log(JSON.stringify(findings, undefined, 2));
  else console.log(formatFindings(findings));
  return findings.some(({ level }) => level === 'bad') ? 1 : 0;
}

async function examine(config: SupervisorConfig): Promise<readonly Finding[]> {
  const now = Date.now();
  const folder = lookAtFolder(config.data);
  const last = folder.there ? readRun(config.data) : undefined;
  const running = last !== undefined && isAlive(last.pid) ? last : undefined;
  const tls = running ? running.tls : config.lan ? config.tlsPort : undefined;
  const cluster = folder.there ? clusterOf(config.data) : undefined;
  const findings = [judgeNode(process.version), judgeOwnClock(now, builtMs, await clockIsKept()), ...folder.findings];
  if (folder.there) findings.push(...lookAtKeys(config.data), lookAtDisk(config.data));
  if (folder.there) findings.push(...lookAtCertificates(config.data, now));
  findings.push(judgeSupervisor(last?.pid, running !== undefined));
  if (running) findings.push(...(await lookAtOpenPorts(running)));
  else findings.push(...(await lookAtFreePorts({ mqtt: config.mqttPort, http: config.httpPort, tls })));
  if (running && tls !== undefined && cluster !== undefined) {
    findings.push(await lookAtTls(tls, cluster, trustedCas(config.data)));
  }
  if (running) findings.push(...(await lookAtFleet(config, running, now)));
  if (tls === undefined) findings.push(skipped('mdns', 'only with --lan'));
  else if (!running || cluster === undefined) findings.push(skipped('mdns', 'while no supervisor runs'));
  else findings.push(await listen(cluster));
  return findings;
}

function readRun(data: string): Running | undefined {
  const json = parseJson(readShort(join(data, 'run.json')) ?? '');
  const run = json.ok ? (json.value as Partial<Running> | null) : null;
  if (!Number.isSafeInteger(run?.pid) || !isPort(run?.mqtt) || !isPort(run?.http)) return undefined;
  const { pid, mqtt, http, tls } = run as Running;
  return { pid, mqtt, http, ...(isPort(tls) ? { tls } : {}) } as Running;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function clusterOf(data: string): string | undefined {
  try {
    return signerFromPem(readShort(join(data, 'trust/cluster-key.pem')) ?? '').cluster;
  } catch {
    return undefined;
  }
}

/** The certificates that nodes trust: those that ca.json names. */
function trustedCas(data: string): string[] {
  const json = parseJson(readShort(join(data, 'trust/ca.json')) ?? '');
  const { issuing, previous } = (json.ok ? json.value : {}) as Record<string, unknown>;
  return [issuing, previous]
    .filter(number => typeof number === 'number')
    .map(number => readShort(join(data, `trust/ca-${number}.pem`)) ?? '')
    .filter(pem => pem !== '');
}

/** What systemd knows of the kernel's clock; undefined where there is none to ask. */
function clockIsKept(): Promise<boolean | undefined> {
  return new Promise(resolve =>
    execFile('timedatectl', ['show', '-p', 'NTPSynchronized', '--value'], { timeout: 3000 }, (error, text) =>
      resolve(error ? undefined : text.trim() === 'yes'),
    ),
  );
}

async function lookAtFleet(config: SupervisorConfig, running: Running, now: number): Promise<readonly Finding[]> {
  const broker = config.broker ?? `mqtt://127.0.0.1:${running.mqtt}`;
  try {
    const { client, base } = await connect({ broker, base: config.base });
    const { nodes } = await gather(client, base).finally(() => disconnect(client));
    const facts: NodeFacts[] = [...nodes.values()].map(({ id, online, info }) => ({
      ...{ id, online, ver: info?.ver, clockOffMs: info?.clock_off_ms },
    }));
    const online = new Set(facts.filter(each => each.online).map(({ id }) => id));
    const certificates = await nodeCertificates(config, online, now);
    return [judgeVersions(version, facts), ...judgeClocks(facts), ...certificates];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [bad('nodes', `they could not be looked at: ${error.message}`, 'mend that, and look again')];
  }
}

async function nodeCertificates(config: SupervisorConfig, online: ReadonlySet<string>, now: number) {
  const flags: AdminFlags = { data: config.data };
  try {
    const { nodes } = await adminCall<{ nodes: readonly { node: string; state: string; expires_ms: number }[] }>(
      flags,
      'node.list',
    );
    const active = nodes.filter(({ state }) => state === 'active');
    const facts = active.map(({ node, expires_ms }) => ({ node, online: online.has(node), expiresMs: expires_ms }));
    return judgeNodeCertificates(facts, now);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [skipped('certificates', `those of nodes could not be asked for: ${error.message}`)];
  }
}

/** Listens as a new machine would. */
async function listen(cluster: string): Promise<Finding> {
  let trouble: string | undefined;
  let found = () => {};
  const heard = new Promise<void>(resolve => {
    found = resolve;
  });
  const search = browse({
    ...{ clock: systemClock(), cluster, chosen: found },
    trouble: sentence => {
      trouble = sentence;
    },
  });
  const late = setTimeout(found, mdnsMs);
  await heard;
  clearTimeout(late);
  const names = search.found.filter(each => each.cluster === cluster).map(({ name }) => name);
  search.close();
  return judgeHeard(names, trouble);
}

const marks = { ok: 'ok  ', warn: 'WARN', bad: 'BAD ', skipped: '--  ' } as const;

export function formatFindings(findings: readonly Finding[]): string {
  const widest = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, level, text, fix }) => [
    `${marks[level]}  ${check.padEnd(widest)}  ${printable(text, 500)}`,
    ...(fix === undefined ? [] : [`${' '.repeat(8 + widest)}fix: ${printable(fix, 500)}`]),
  ]);
  const count = (level: Finding['level']) => findings.filter(each => each.level === level).length;
  return [...lines, '', `${count('ok')} fine, ${count('warn')} to watch, ${count('bad')} wrong`].join('\n');
}
