/** The data folder as it lies there. Looks only: a doctor that mends in passing leaves nobody knowing what was wrong. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, type Stats, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../../../shared/codec.ts';
import { format } from '../../../shared/limits.ts';
import { printable } from '../../../shared/names.ts';
import { bad, type Finding, fine, skipped } from './finding.ts';
import { judgeAuthority, judgeDisk, judgeServerCertificate } from './judge.ts';

const code = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;
const quoted = (path: string): string => `'${path.replaceAll("'", `'\\''`)}'`;

/** Whether there is a cluster in the folder, and the findings about the folder itself. */
export function lookAtFolder(path: string): { readonly there: boolean; readonly findings: readonly Finding[] } {
  let stat: Stats;
  try {
    stat = lstatSync(path);
    readdirSync(path);
  } catch (error) {
    if (code(error) === 'ENOENT') {
      return {
        there: false,
        findings: [skipped('folder', `there is no cluster in ${path} yet: "hearth up" makes one`)],
      };
    }
    const text = `${path} cannot be read by this user (${code(error)})`;
    return { there: false, findings: [bad('folder', text, 'run this as the user who runs the supervisor')] };
  }
  const findings: Finding[] = [];
  if ((stat.mode & 0o077) !== 0) {
    findings.push(bad('folder', `${path} is open to other users`, `chmod 700 ${quoted(path)}`));
  }
  const found = readShort(join(path, 'format'))?.trim();
  if (found === undefined) findings.push(skipped('folder', `no start in ${path} was ever finished`));
  else if (!/^\d{1,9}$/.test(found)) {
    findings.push(bad('folder', `${join(path, 'format')} is damaged`, 'restore the data folder from a backup'));
  } else if (Number(found) > format) {
    const text = `${path} is of format ${found}; this Hearth knows up to ${format}`;
    findings.push(bad('versions', text, 'start the newer Hearth that wrote it'));
  }
  if (findings.length === 0) findings.push(fine('folder', `${path} is this user's alone`));
  return { there: true, findings };
}

/** A file of at most 64 kB as text; undefined where it is none, or cannot be read. */
export function readShort(path: string): string | undefined {
  try {
    return lstatSync(path).size <= 64 * 1024 ? readFileSync(path, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}

/** Every file in `trust/`, and the secrets of the local agent: nobody else may read one, or put another in its place. */
export function lookAtKeys(path: string): readonly Finding[] {
  const owner = lstatSync(path).uid;
  const trust = join(path, 'trust');
  const files = [...filesIn(trust), ...filesIn(join(path, 'agent')).filter(file => /\.(pem|json)$/.test(file))];
  const findings = files.flatMap(file => lookAtKey(file, owner));
  for (const folder of [trust, join(path, 'agent')]) {
    try {
      if ((lstatSync(folder).mode & 0o077) !== 0) {
        findings.push(bad('keys', `${folder} is open to other users`, `chmod 700 ${quoted(folder)}`));
      }
    } catch {}
  }
  const key = join(trust, 'cluster-key.pem');
  const pem = readShort(key);
  if (pem === undefined || !isEd25519(pem)) {
    const why = pem === undefined ? 'is not there' : 'is no Ed25519 key';
    findings.push(bad('keys', `${key}, the key of this cluster, ${why}`, 'restore it from a backup'));
  }
  return findings.length > 0
    ? findings
    : [fine('keys', `${files.length} files with keys, readable by their user alone`)];
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(entry => !entry.isDirectory())
      .slice(0, 1000)
      .map(({ name }) => join(folder, name));
  } catch {
    return [];
  }
}

function lookAtKey(file: string, owner: number): Finding[] {
  try {
    const stat = lstatSync(file);
    if (!stat.isFile()) return [bad('keys', `${file} is no plain file`, 'put the file itself there, from a backup')];
    if (stat.uid !== owner) {
      return [bad('keys', `${file} belongs to another user (${stat.uid})`, `chown ${owner} ${quoted(file)}`)];
    }
    if ((stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8);
      return [bad('keys', `${file} can be read or written by others (${mode})`, `chmod 600 ${quoted(file)}`)];
    }
    return [];
  } catch {
    return [];
  }
}

function isEd25519(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'ed25519';
  } catch {
    return false;
  }
}

export function lookAtDisk(path: string): Finding {
  try {
    const { bsize, bavail, blocks, ffree, files } = statfsSync(path);
    const [freeBytes, totalBytes] = [bavail * bsize, blocks * bsize];
    return judgeDisk({ path, freeBytes, totalBytes, freeFiles: ffree, totalFiles: files });
  } catch (error) {
    return skipped('disk', `${path} cannot be asked for its free space (${code(error)})`);
  }
}

export function lookAtCertificates(path: string, now: number): readonly Finding[] {
  const trust = join(path, 'trust');
  const text = readShort(join(trust, 'ca.json'));
  if (text === undefined) return [skipped('certificates', 'there are none: the cluster was never open to the network')];
  const json = parseJson(text);
  const { issuing, rotated_ms, previous } = (json.ok ? json.value : {}) as Record<string, unknown>;
  const restore = `restore ${trust} whole from one backup`;
  if (typeof issuing !== 'number') return [bad('certificates', `${join(trust, 'ca.json')} is damaged`, restore)];
  const judged = (file: string, judge: (facts: Parameters<typeof judgeServerCertificate>[0]) => Finding): Finding => {
    const certificate = readCertificate(join(trust, file));
    if (!certificate) return bad('certificates', `${join(trust, file)} holds no certificate`, restore);
    const [notBeforeMs, notAfterMs] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
    return judge({ name: printable(file), notBeforeMs, notAfterMs });
  };
  const rotated = typeof previous === 'number' && typeof rotated_ms === 'number' ? rotated_ms : undefined;
  return [
    judged(`ca-${issuing}.pem`, facts => judgeAuthority(facts, rotated, now)),
    judged('server.pem', facts => judgeServerCertificate(facts, now)),
  ];
}

function readCertificate(path: string): X509Certificate | undefined {
  const text = readShort(path);
  const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text ?? '')?.[0];
  try {
    return pem === undefined ? undefined : new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
