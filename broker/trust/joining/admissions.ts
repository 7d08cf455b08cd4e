/** Lets machines in: certificate from the CA, record in the journal, and only then the answer. */
import type { Signer } from '../../../shared/authority.ts';
import type { Log } from '../../../shared/log.ts';
import type { TrustBundle } from '../../../shared/schemas/trust.ts';
import { sealBundle } from '../../../shared/trust-statements.ts';
import type { Audit, CertificateAuthority, IssuedCertificate } from '../types.ts';
import type { Amnesty } from './amnesty.ts';
import type { JoinReply } from './desk.ts';
import { type Admission, type Asking, cloneNote, type Known } from './judge.ts';
import type { Change, Ledger } from './ledger.ts';
import { joiningLimits, type NodeRecord, plainSerial } from './records.ts';
import { Roster } from './roster.ts';
import { exhausted } from './tokens.ts';

export interface AdmissionParts {
  readonly ca: CertificateAuthority;
  readonly signer: Signer;
  readonly base: string;
  readonly log: Log;
  /** Wall clock in milliseconds, never below what the supervisor trusts. */
  readonly now: () => number;
  readonly fleet: {
    /** The journal has a document of it, or the fleet has seen it. */
    known(node: string): boolean;
    online(node: string): boolean;
  };
  /** `mqtts://HOST:PORT`, the best first. */
  readonly brokers: () => readonly string[];
  readonly audit?: Audit;
  readonly amnesty: Amnesty;
  readonly event: (level: 'info' | 'warn' | 'error', kind: string, text: string, node?: string) => void;
}

const dayMs = 86_400_000;

export const refused = (text: string, retryMs?: number): JoinReply => ({
  state: 'refused',
  sentence: text,
  ...(retryMs === undefined ? {} : { retryMs }),
});

export class Admissions implements Known {
  readonly roster: Roster;
  readonly #ledger: Ledger;
  readonly #parts: AdmissionParts;
  /** Ids of certificates that are being made. */
  readonly #reserved = new Set<string>();
  readonly #revoked: ((node: string) => void)[] = [];
  #bundle: { readonly serial: number; readonly sealed: TrustBundle } | undefined;

  constructor(ledger: Ledger, parts: AdmissionParts) {
    this.#ledger = ledger;
    this.#parts = parts;
    this.roster = new Roster(ledger);
  }

  node = (id: string): NodeRecord | undefined => this.#ledger.nodes.get(id);

  taken = (id: string): boolean => this.#ledger.nodes.has(id) || this.#reserved.has(id) || this.#parts.fleet.known(id);

  online = (id: string): boolean => this.#parts.fleet.online(id);

  copies = (node: string): number => {
    const since = this.#parts.now() - dayMs;
    let copies = 0;
    for (const { clone_of, joined_ms } of this.#ledger.nodes.values()) {
      if (clone_of === node && joined_ms > since) copies++;
    }
    return copies;
  };

  isKeyOf = (record: NodeRecord, key: string): boolean => isKeyOf(record, key, this.#parts.now());

  onRevoked(listener: (node: string) => void): void {
    this.#revoked.push(listener);
  }

  tellRevoked(node: string): void {
    for (const listener of this.#revoked) listener(node);
  }

  /** A connection may outlive the certificate it was made with, but not the last one that its node has. */
  endExpired(now: number): void {
    if (this.#parts.amnesty.lasts(now)) return;
    for (const { node, certs } of this.#ledger.nodes.values()) {
      if (this.online(node) && !certs.some(({ expires_ms }) => expires_ms > now)) this.tellRevoked(node);
    }
  }

  /** Every node's connections end; who may come back does so at once. For when a CA is trusted no more. */
  askAllAgain(): void {
    for (const node of this.#ledger.nodes.keys()) this.tellRevoked(node);
  }

  /** Signed anew when the CA has changed. */
  bundle(): TrustBundle {
    const { ca, signer, base } = this.#parts;
    if (this.#bundle?.serial !== ca.serial) {
      const body = { serial: ca.serial, ca: [...ca.certificates()], base };
      this.#bundle = { serial: ca.serial, sealed: sealBundle(signer, body) };
    }
    return this.#bundle.sealed;
  }

  async admit(asking: Asking, admission: Admission, address: string): Promise<JoinReply> {
    const { node, replaces } = admission;
    const { event, now } = this.#parts;
    if (this.#reserved.has(node))
      return refused(`Another machine is joining as "${node}" at this moment: try again.`, 2000);
    if (!replaces && this.#ledger.nodes.size >= joiningLimits.nodes) {
      return refused(`There are ${joiningLimits.nodes} nodes already: forget one first.`);
    }
    const remark = admission.cloneOf === undefined ? cloneNote(this.roster, asking.request) : undefined;
    this.#reserved.add(node);
    let reply: JoinReply;
    try {
      const issued = await this.#parts.ca.issueNode(asking.request.csr, node);
      const token = asking.token && this.#ledger.tokens.get(asking.token.id);
      const spent = asking.token && (token ? exhausted(token, now()) : 'was revoked');
      if (spent !== undefined) return refused(`This join token ${spent}: make a new one with "hearth token".`);
      const record = this.#newRecord(asking, admission, address, issued);
      const changes: Change[] = [{ kind: 'node', id: node, record }];
      if (token) changes.push({ kind: 'token', id: token.id, record: { ...token, used: token.used + 1 } });
      await this.#ledger.write(...changes);
      reply = this.#joined(record, issued);
    } finally {
      this.#reserved.delete(node);
    }
    if (replaces) this.tellRevoked(node);
    const { hostname } = asking.request.facts;
    const { by } = admission;
    const how = by.startsWith('rule ') ? 'rule' : 'none';
    this.#parts.audit?.record({ who: by, how, from: address, what: 'join', target: node, ok: true });
    event('info', 'node-joined', `${node} joined: ${hostname} at ${address}, ${by}`, node);
    if (admission.cloneOf !== undefined) {
      const text = `${hostname} at ${address} runs on a copy of the folder of ${admission.cloneOf}; it has its own keys now, and is ${node}`;
      event('warn', 'clone', text, node);
    } else if (remark !== undefined && !replaces) {
      event('warn', 'clone', `${node} (${hostname} at ${address}) ${remark}`, node);
    }
    return reply;
  }

  /** A certificate more for a key that may have one. */
  async reissue(node: string, csr: string, key: string, sealKey: string | undefined): Promise<JoinReply> {
    const issued = await this.#parts.ca.issueNode(csr, node);
    const before = this.node(node);
    if (before?.state !== 'active') return refused(revokedSentence(node));
    const certs = [certOf(issued, key), ...before.certs.filter(({ expires_ms }) => expires_ms > this.#parts.now())];
    const record = {
      ...before,
      certs: certs.slice(0, joiningLimits.certificates),
      ...(sealKey === undefined ? {} : { seal_key: sealKey }),
    };
    await this.#ledger.write({ kind: 'node', id: node, record });
    return this.#joined(record, issued);
  }

  /** @throws UserError where it could not be written: then nothing has changed. */
  async revoke(record: NodeRecord): Promise<void> {
    await this.#ledger.write({ kind: 'node', id: record.node, record: { ...record, state: 'revoked' } });
    this.tellRevoked(record.node);
  }

  async forget(node: string): Promise<void> {
    // While certificates may be about that are on no record, what is forgotten has to stay out by name.
    if (this.#parts.amnesty.lasts(this.#parts.now())) return this.strike(node);
    if (!this.#ledger.nodes.has(node)) return;
    await this.#ledger.write({ kind: 'node', id: node, record: undefined });
    this.tellRevoked(node);
  }

  /** As {@link revoke}, for a node that is known by its certificate alone, too. */
  strike(node: string): Promise<void> {
    const none = { serial: '0', key: '', expires_ms: 0 };
    return this.revoke(this.node(node) ?? this.#recalled(node, none, undefined));
  }

  /** After a restore: a node that joined since the backup was taken is put on record by its certificate. */
  async recall(node: string, csr: string, key: string, sealKey: string | undefined): Promise<JoinReply> {
    const issued = await this.#parts.ca.issueNode(csr, node);
    const record = this.#recalled(node, certOf(issued, key), sealKey);
    await this.#ledger.write({ kind: 'node', id: node, record });
    this.#parts.event(
      'info',
      'node-recalled',
      `${node} joined after the backup was taken, and is on record again`,
      node,
    );
    return this.#joined(record, issued);
  }

  #recalled(node: string, cert: NodeRecord['certs'][number], sealKey: string | undefined): NodeRecord {
    const facts = { hostname: node, macs: '', os: '', arch: '', ver: '' };
    const about = { inst: '', facts, address: '', seal_key: sealKey ?? '', by: 'its certificate, after a restore' };
    return { node, state: 'active', joined_ms: Math.floor(this.#parts.now()), certs: [cert], ...about };
  }

  #newRecord(asking: Asking, admission: Admission, address: string, issued: IssuedCertificate): NodeRecord {
    const { request, key } = asking;
    const before = this.node(admission.node);
    const room = admission.room ?? before?.room;
    const zone = admission.zone ?? before?.zone;
    const roles = admission.roles ?? before?.roles;
    return {
      node: admission.node,
      state: 'active',
      joined_ms: Math.floor(this.#parts.now()),
      by: admission.by,
      certs: [certOf(issued, key)],
      seal_key: request.seal_key,
      inst: request.inst,
      facts: request.facts,
      address,
      ...(admission.cloneOf === undefined ? {} : { clone_of: admission.cloneOf }),
      ...(room === undefined ? {} : { room }),
      ...(zone === undefined ? {} : { zone }),
      ...(roles === undefined ? {} : { roles: [...roles] }),
    };
  }

  #joined(record: NodeRecord, issued: IssuedCertificate): JoinReply {
    const { node, room, zone, roles } = record;
    return {
      state: 'joined',
      node,
      cert: issued.pem,
      bundle: this.bundle(),
      brokers: this.#parts.brokers().slice(0, 16),
      at_ms: this.#parts.now(),
      ...(room === undefined ? {} : { room }),
      ...(zone === undefined ? {} : { zone }),
      ...(roles === undefined || roles.length === 0 ? {} : { roles: roles.join() }),
    };
  }
}

export const revokedSentence = (node: string): string =>
  `The certificate of node "${node}" was revoked: an admin lets it in again with a token made for it (hearth token --node ${node}).`;

const certOf = (issued: IssuedCertificate, key: string): NodeRecord['certs'][number] => ({
  serial: plainSerial(issued.serial),
  key,
  expires_ms: Math.floor(issued.notAfterMs),
});

/** The newest key renews also late, an older one only while its certificate is valid. */
const isKeyOf = (record: NodeRecord, key: string, now: number): boolean =>
  record.certs.some((cert, index) => cert.key === key && (index === 0 || cert.expires_ms > now));
