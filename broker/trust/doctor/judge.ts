/** When a disk is full, a certificate old or a clock wrong. Pure: figures in, findings out. */
import { printable } from '../../../shared/names.ts';
import { bad, type Finding, fine, skipped, warn } from './finding.ts';

const day = 86_400_000;

/** `3 days`, `5 hours`, `40 min`. */
export function span(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}

export interface DiskFacts {
  readonly path: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly freeFiles: number;
  /** 0: the file system does not count them. */
  readonly totalFiles: number;
}

const mb = 2 ** 20;

export function judgeDisk({ path, freeBytes, totalBytes, freeFiles, totalFiles }: DiskFacts): Finding {
  const free =
    freeBytes < 10 * 1024 * mb ? `${Math.floor(freeBytes / mb)} MB` : `${Math.floor(freeBytes / mb / 1024)} GB`;
  const text = `${free} free below ${path}`;
  const room = 'make room there, or move the data folder (stop the supervisor, move it, start with --data)';
  if (freeBytes < 64 * mb) return bad('disk', `${text}: the journal is about to stop taking changes`, room);
  if (totalFiles > 0 && freeFiles < totalFiles / 100) {
    return warn('disk', `${freeFiles} files can still be made below ${path}`, room);
  }
  if (freeBytes < 512 * mb || freeBytes < totalBytes / 50) return warn('disk', text, room);
  return fine('disk', text);
}

export interface CertificateFacts {
  /** Such as `server.pem`. */
  readonly name: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The server's is renewed by itself when a third of its life is left. */
export function judgeServerCertificate({ name, notBeforeMs, notAfterMs }: CertificateFacts, now: number): Finding {
  const check = 'certificates';
  const left = notAfterMs - now;
  const renew = 'let a running supervisor do it: "hearth ca renew-server"; its log says why it has not';
  if (now < notBeforeMs - 5 * 60_000) {
    return bad(check, `${name} is valid only in ${span(notBeforeMs - now)}: this machine's clock went back`, clockFix);
  }
  if (left <= 0) return bad(check, `${name} ended ${span(left)} ago: nobody from the network can connect`, renew);
  if (left < (notAfterMs - notBeforeMs) / 5) return warn(check, `${name} ends in ${span(left)}`, renew);
  return fine(check, `${name} is valid for ${span(left)}`);
}

/** @param rotatedMs when the CA was replaced; the old one is trusted beside it since. */
export function judgeAuthority(
  { name, notBeforeMs, notAfterMs }: CertificateFacts,
  rotatedMs: number | undefined,
  now: number,
): Finding {
  const check = 'certificates';
  const left = notAfterMs - now;
  const rotate = 'replace it with "hearth ca rotate", and take the old one out a week later with "hearth ca retire"';
  if (now < notBeforeMs - 5 * 60_000) {
    return bad(check, `the CA ${name} is valid only in ${span(notBeforeMs - now)}: the clock went back`, clockFix);
  }
  if (left <= 0) return bad(check, `the CA ${name} ended ${span(left)} ago`, rotate);
  if (left < 180 * day) return warn(check, `the CA ${name} ends in ${span(left)}`, rotate);
  if (rotatedMs !== undefined && now - rotatedMs > 30 * day) {
    const text = `the CA was replaced ${span(now - rotatedMs)} ago, and the old one is still trusted`;
    return warn(check, text, 'take it out with "hearth ca retire"');
  }
  return fine(check, `the CA ${name} is valid for ${span(left)}`);
}

const clockFix = 'set the clock of this machine: "timedatectl set-ntp true" where there is systemd';

/** A node, as far as the doctor asks. */
export interface NodeFacts {
  readonly id: string;
  readonly online: boolean;
  readonly ver?: string | undefined;
  readonly clockOffMs?: number | undefined;
}

/** Orders and heartbeats bear a lot; certificates and readings with a time of their own do not. */
const clockWarnMs = 2000;
const clockBadMs = 5 * 60_000;

export function judgeClocks(nodes: readonly NodeFacts[]): readonly Finding[] {
  const online = nodes.filter(({ online, clockOffMs }) => online && clockOffMs !== undefined);
  const off = online.filter(({ clockOffMs = 0 }) => Math.abs(clockOffMs) > clockWarnMs);
  if (off.length === 0) {
    return online.length === 0
      ? []
      : [fine('clocks', `${online.length} online nodes are within 2 s of the supervisor`)];
  }
  return off.slice(0, 20).map(({ id, clockOffMs = 0 }) => {
    const how = Math.abs(clockOffMs) < 120_000 ? `${(Math.abs(clockOffMs) / 1000).toFixed(0)} s` : span(clockOffMs);
    const text = `the clock of ${printable(id)} is ${how} ${clockOffMs < 0 ? 'behind' : 'ahead'}`;
    const fix = `on ${printable(id)}: "timedatectl set-ntp true", or an NTP server it can reach`;
    return Math.abs(clockOffMs) > clockBadMs ? bad('clocks', text, fix) : warn('clocks', text, fix);
  });
}

export function judgeVersions(own: string, nodes: readonly NodeFacts[]): Finding {
  const others = nodes.filter(({ online, ver }) => online && ver !== undefined && ver !== own);
  if (others.length === 0) return fine('versions', `supervisor and online nodes are ${own}`);
  const named = others.slice(0, 5).map(({ id, ver = '' }) => `${printable(id)} (${printable(ver, 32)})`);
  const more = others.length > 5 ? ` and ${others.length - 5} more` : '';
  return warn(
    'versions',
    `the supervisor is ${own}, but these are not: ${named.join(', ')}${more}`,
    'run the install line of "hearth token" on them again; it replaces the agent and keeps the node',
  );
}

/** A date before the program was made, or long after, is no date. */
export function judgeOwnClock(now: number, builtMs: number, synchronized: boolean | undefined): Finding {
  if (now < builtMs) {
    const text = `this machine says ${new Date(now).toISOString().slice(0, 10)}, which is before this program was built`;
    return bad('clock', text, clockFix);
  }
  if (synchronized === false) return warn('clock', 'nothing keeps the clock of this machine right', clockFix);
  const kept = synchronized ? ', kept right by NTP' : '';
  return fine('clock', `${new Date(now).toISOString().slice(0, 19)}Z${kept}`);
}

/** @param heard the names under which this cluster is heard of on the network; undefined: nobody could listen. */
export function judgeHeard(heard: readonly string[] | undefined, trouble: string | undefined): Finding {
  const fix =
    "let UDP port 5353 through this machine's firewall; nodes that are given an address or a token need no mDNS";
  if (heard === undefined) return warn('mdns', trouble ?? 'there is no network to listen on', fix);
  const [name] = heard;
  if (name === undefined) return warn('mdns', trouble ?? 'this cluster is not heard of on the network', fix);
  return fine('mdns', `heard of as "${printable(name, 80)}"`);
}

/** A node that joined, and until when its certificate counts. They are renewed by themselves when a third is left. */
export interface NodeCertificate {
  readonly node: string;
  readonly online: boolean;
  readonly expiresMs: number;
}

const nodeLateMs = 1.5 * day;

export function judgeNodeCertificates(nodes: readonly NodeCertificate[], now: number): readonly Finding[] {
  const check = 'certificates';
  const late = nodes.filter(({ online, expiresMs }) => online && expiresMs - now < nodeLateMs);
  if (nodes.length === 0) return [];
  if (late.length === 0) return [fine(check, `those of ${nodes.length} nodes are renewed in time`)];
  return late.slice(0, 20).map(({ node, expiresMs }) => {
    const ends = expiresMs < now ? `ended ${span(now - expiresMs)} ago` : `ends in ${span(expiresMs - now)}`;
    const fix = `its agent's log says why ("hearth-agent logs" on ${printable(node)}); a restart of the agent tries again`;
    return warn(check, `the certificate of ${printable(node)} ${ends} and was not renewed`, fix);
  });
}

const [leastMajor, leastMinor] = [20, 19];

export function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return fine('node', `Node ${version}`);
  const text = `Node ${version} is too old for the supervisor`;
  return bad('node', text, `install Node ${leastMajor}.${leastMinor} or newer, the even numbers stay longest`);
}

/** @param running the process that the data folder names lives. */
export function judgeSupervisor(pid: number | undefined, running: boolean): Finding {
  if (running) return fine('supervisor', `runs as process ${pid}`);
  if (pid === undefined) return skipped('supervisor', 'does not run');
  const text = `process ${pid}, which was the supervisor, is gone without a farewell`;
  return warn('supervisor', text, 'start it again with "hearth up"; logs/supervisor.log says what was last');
}
