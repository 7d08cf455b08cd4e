/** The CAs of one moment: which one issues, whom it replaced, and what a server has to show so that both kinds verify. */
import { X509Certificate } from 'node:crypto';
import { UserError } from '../../../shared/user-error.ts';
import { type CaFiles, type CaState, nextSerial } from './ca-files.ts';
import { crossSigned, type Issuer, keyToPem, newKey, readIssuer, selfSigned } from './certificates.ts';

export interface Standing {
  readonly state: CaState;
  readonly issuer: Issuer;
  /** The issuing one first. */
  readonly trusted: readonly X509Certificate[];
  readonly pems: readonly string[];
  readonly retired: readonly X509Certificate[];
  /** The issuing CA, signed by the one before it; empty where there is none. */
  readonly cross: string;
}

/** Reads what is there; makes the first CA where there is none. */
export async function openStanding(files: CaFiles, cluster: string, now: number): Promise<Standing> {
  const state = files.readState() ?? (await makeFirst(files, cluster, now));
  files.removeOtherKeys(state.issuing);
  return load(files, state, cluster);
}

async function makeFirst(files: CaFiles, cluster: string, now: number): Promise<CaState> {
  if (files.read('ca-1-key.pem') === undefined || files.read('ca-1.pem') === undefined) {
    const key = newKey();
    files.write('ca-1-key.pem', keyToPem(key));
    files.write('ca-1.pem', await selfSigned(cluster, 1, key, now));
  }
  const state: CaState = { version: 1, serial: nextSerial(0, now), issuing: 1, retired: [] };
  files.writeState(state);
  return state;
}

async function load(files: CaFiles, state: CaState, cluster: string): Promise<Standing> {
  const { issuing, previous } = state;
  const numbers = previous === undefined ? [issuing] : [issuing, previous];
  const pems = numbers.map(number => files.demand(`ca-${number}.pem`));
  const trusted = pems.map((pem, index) => readCertificate(files, `ca-${numbers[index]}.pem`, pem));
  const retired = state.retired.flatMap(number => {
    const pem = files.read(`ca-${number}.pem`);
    return pem === undefined ? [] : [readCertificate(files, `ca-${number}.pem`, pem)];
  });
  const own = trusted[0];
  if (!own?.subject.split('\n').includes(`O=${cluster}`)) {
    throw new UserError(
      `${files.path(`ca-${issuing}.pem`)} is the certificate authority of another cluster than cluster-key.pem beside it: restore ${files.folder} whole from one backup.`,
    );
  }
  return {
    state,
    issuer: await readKeyOf(files, issuing, pems[0] ?? '', own),
    trusted,
    pems,
    retired,
    cross: previous === undefined ? '' : files.demand(`ca-${issuing}-cross.pem`),
  };
}

function readCertificate(files: CaFiles, name: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw files.broken(name);
  }
}

async function readKeyOf(files: CaFiles, number: number, pem: string, certificate: X509Certificate): Promise<Issuer> {
  const name = `ca-${number}-key.pem`;
  const keyPem = files.demand(name);
  try {
    const issuer = await readIssuer(pem, keyPem);
    if (certificate.checkPrivateKey(issuer.keyObject)) return issuer;
  } catch {}
  throw files.broken(name);
}

/** A new CA issues; the one before stays trusted, and its key is destroyed: it signs nothing any more. */
export async function rotate(files: CaFiles, standing: Standing, cluster: string, now: number): Promise<Standing> {
  const { serial, issuing, retired } = standing.state;
  const number = issuing + 1;
  const key = newKey();
  files.write(`ca-${number}-key.pem`, keyToPem(key));
  files.write(`ca-${number}.pem`, await selfSigned(cluster, number, key, now));
  files.write(`ca-${number}-cross.pem`, await crossSigned(cluster, number, key, standing.issuer));
  const counted = { serial: nextSerial(serial, now), issuing: number, previous: issuing, rotated_ms: now };
  const state: CaState = { version: 1, ...counted, retired };
  files.writeState(state);
  files.removeOtherKeys(number);
  return load(files, state, cluster);
}

/** @param forRenewal its old certificates may still be shown to renew; not where its key is known to others. */
export async function retire(
  files: CaFiles,
  standing: Standing,
  cluster: string,
  forRenewal: boolean,
  now: number,
): Promise<Standing> {
  const { previous, issuing, serial, retired } = standing.state;
  if (previous === undefined) return standing;
  const state: CaState = {
    version: 1,
    serial: nextSerial(serial, now),
    issuing,
    retired: (forRenewal ? [previous, ...retired] : retired).slice(0, 8),
  };
  files.writeState(state);
  files.remove(`ca-${issuing}-cross.pem`);
  for (const old of [previous, ...retired]) if (!state.retired.includes(old)) files.remove(`ca-${old}.pem`);
  return load(files, state, cluster);
}
