/**
 * The joining desk: reads what machines ask, has it judged, and answers. One thing at a time per key, so that who asks twice
 * in a hurry, or is approved while it asks, gets one record.
 */
import type { Random } from '../../../shared/clock.ts';
import { check } from '../../../shared/codec.ts';
import { sentence } from '../../../shared/errors.ts';
import { joinCode } from '../../../shared/join-code.ts';
import { proto } from '../../../shared/limits.ts';
import { printable } from '../../../shared/names.ts';
import { type JoinRequest, joinRequest, renewRequest, type TrustBundle } from '../../../shared/schemas/trust.ts';
import { sealTime } from '../../../shared/trust-statements.ts';
import { UserError } from '../../../shared/user-error.ts';
import { keyOfCsr } from '../ca/csr.ts';
import type { CertifiedClient } from '../types.ts';
import { type AdmissionParts, Admissions, refused, revokedSentence } from './admissions.ts';
import type { JoinReply } from './desk.ts';
import { type Admission, type Asking, judge, type Verdict } from './judge.ts';
import type { Ledger } from './ledger.ts';
import { PendingList, retryMs, type Waiting } from './pending.ts';
import { heldCertificate, keyHash } from './proofs.ts';
import { plainSerial } from './records.ts';
import { applyRules, plainAddress } from './rules.ts';
import { readToken } from './tokens.ts';

export interface JoiningParts extends AdmissionParts {
  readonly random: Random;
}

export class Joining {
  readonly admissions: Admissions;
  readonly pending = new PendingList();
  readonly #ledger: Ledger;
  readonly #parts: JoiningParts;
  readonly #lanes = new Map<string, Promise<unknown>>();
  readonly #listeners = new Set<() => void>();

  constructor(ledger: Ledger, parts: JoiningParts) {
    this.#ledger = ledger;
    this.#parts = parts;
    this.admissions = new Admissions(ledger, parts);
    ledger.onChange(change => {
      if (change.kind === 'node') this.#changed();
    });
  }

  time(nonce: string): TrustBundle | undefined {
    if (!/^[A-Za-z0-9_-]{16,64}$/.test(nonce)) return undefined;
    return sealTime(this.#parts.signer, this.#parts.now(), nonce);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isRevoked({ kind, name, serial, issuedMs }: CertifiedClient): boolean {
    if (kind !== 'node') return false;
    const record = this.#ledger.nodes.get(name);
    const plain = plainSerial(serial);
    if (record?.state === 'active' && record.certs.some(cert => cert.serial === plain)) return false;
    return !this.#parts.amnesty.covers(issuedMs, record, this.#parts.now());
  }

  /** After a restore: whether a node without a record may have a certificate. */
  mayBeUnrecorded(node: string): boolean {
    return this.#parts.amnesty.lasts(this.#parts.now()) && this.#parts.fleet.known(node);
  }

  async ask(body: unknown, from: string): Promise<JoinReply> {
    const read = check(joinRequest, body);
    if (!read.ok)
      return refused(`The request to join cannot be read (${sentence(read.error)}): update Hearth here or there.`);
    const request = read.value;
    if (request.proto > proto || request.proto < proto - 1) {
      const old = request.proto > proto ? 'the supervisor' : 'this machine';
      return refused(`The agent speaks version ${request.proto} and the supervisor ${proto}: update Hearth on ${old}.`);
    }
    return this.#answering(async () => {
      const spki = await keyOfCsr(request.csr);
      const key = keyHash(spki);
      return this.#inLane(key, () => this.#settle(request, key, joinCode(spki), plainAddress(from)));
    });
  }

  again(ticket: string): JoinReply | undefined {
    const now = this.#parts.now();
    this.sweep();
    const waiting = this.pending.byTicket(ticket);
    if (!waiting) return this.pending.answer(ticket, now);
    waiting.seen = now;
    return waitReply(waiting, now);
  }

  renew(body: unknown): Promise<JoinReply> {
    return this.#answering(async () => {
      const read = check(renewRequest, body);
      if (!read.ok) return refused(`The request to renew cannot be read (${sentence(read.error)}).`);
      const { csr, cert, proof, seal_key } = read.value;
      const held = heldCertificate('renew', cert, csr, proof);
      if (!held) return refused('The request to renew is not signed by the key of its certificate.');
      const who = this.#parts.ca.verifyExpired(held.certificate);
      if (who?.kind !== 'node')
        return refused('This certificate is not one of a node of this cluster: join anew with a token.');
      const key = keyHash(await keyOfCsr(csr));
      const { name } = who;
      return this.#inLane(`node ${name}`, async () => {
        const record = this.#ledger.nodes.get(name);
        if (record?.state === 'revoked') return refused(revokedSentence(name));
        const forgiven = this.#parts.amnesty.covers(who.issuedMs, record, this.#parts.now());
        if (!forgiven && (!record || !this.admissions.isKeyOf(record, held.key))) {
          return refused(
            `Node "${name}" goes on without this certificate (it was forgotten, or set up anew): join anew with a token.`,
          );
        }
        const other = this.admissions.roster.byKey(key);
        if (other && other.node !== name) return refused('The new key is that of another node: make one of its own.');
        if (!record) return this.admissions.recall(name, csr, key, seal_key);
        return this.admissions.reissue(name, csr, key, seal_key);
      });
    });
  }

  /** A person lets a machine in, or a rule that is new. */
  letIn(waiting: Waiting, admission: (asking: Asking) => Admission): Promise<JoinReply> {
    return this.#inLane(waiting.key, async () => {
      waiting.deciding = true;
      try {
        const asking = this.standing(waiting);
        const reply = await this.admissions.admit(asking, admission(asking), waiting.address);
        if (reply.state === 'joined') this.#ended(() => this.pending.settle(waiting, reply, this.#parts.now()));
        return reply;
      } finally {
        waiting.deciding = false;
      }
    });
  }

  /** What a machine that waits stands on: its facts, and whose copy it is; never a token. */
  standing({ request, key, address }: Waiting): Asking {
    const { token: _, ...without } = request;
    const asking = this.#asking(without, key, address);
    return 'sentence' in asking ? this.#bare(without, key, address) : asking;
  }

  deny(waiting: Waiting): void {
    const reply = refused('An admin turned this machine away: ask for a token, or try again in an hour.');
    this.#ended(() => this.pending.deny(waiting, reply, this.#parts.now()));
  }

  /** Asks for all that wait whether they still have to: a rule has changed. */
  async reconsider(): Promise<void> {
    for (const { request, key, code, address } of [...this.pending.all()]) {
      await this.#answering(() => this.#inLane(key, () => this.#settle(request, key, code, address, true)));
    }
  }

  sweep(): void {
    const now = this.#parts.now();
    if (this.pending.sweep(now)) this.#changed();
    this.admissions.endExpired(now);
  }

  async #settle(
    request: JoinRequest,
    key: string,
    code: string,
    address: string,
    standing = false,
  ): Promise<JoinReply> {
    const now = this.#parts.now();
    const waiting = this.pending.byKey(key);
    if (standing && !waiting) return refused('It is not waiting any more.');
    if (this.pending.isDenied(key, now) && request.token === undefined) {
      return refused('An admin turned this machine away: ask for a token, or try again in an hour.');
    }
    const asking = this.#asking(request, key, address);
    if ('sentence' in asking) {
      const { hostname } = request.facts;
      this.#parts.event('warn', 'join-refused', `${hostname} at ${address} was not let in: ${asking.sentence}`);
      return refused(asking.sentence);
    }
    const verdict = judge(this.admissions, asking);
    switch (verdict.verdict) {
      case 'refuse':
        return refused(verdict.sentence);
      case 'again':
        return this.admissions.reissue(verdict.node, request.csr, key, undefined);
      case 'wait':
        return standing && waiting ? waitReply(waiting, now) : this.#wait(request, key, code, address, verdict);
      case 'join': {
        const reply = await this.admissions.admit(asking, verdict, address);
        if (waiting && reply.state === 'joined')
          this.#ended(() => this.pending.settle(waiting, reply, this.#parts.now()));
        return reply;
      }
    }
  }

  #wait(
    request: JoinRequest,
    key: string,
    code: string,
    address: string,
    verdict: Verdict & { verdict: 'wait' },
  ): JoinReply {
    const now = this.#parts.now();
    const known = this.pending.byKey(key);
    if (known) {
      known.request = request;
      known.seen = now;
      return waitReply(known, now);
    }
    this.sweep();
    const ticket = this.#parts.random.hex(16);
    const waiting: Waiting = { ticket, code, key, address, since: now, request, seen: now, deciding: false };
    if (!this.pending.add(waiting)) {
      return refused(
        'Too many machines wait to be let in: approve or deny some (hearth nodes --pending), or use a token.',
        60_000,
      );
    }
    const { hostname } = request.facts;
    const note = verdict.note === undefined ? '' : `; it ${verdict.note}`;
    const text = `${hostname} at ${address} asks to join and shows ${code}${note}: hearth approve ${code}, or hearth deny ${code}`;
    this.#parts.event('info', 'join-pending', text);
    this.#changed();
    return waitReply(waiting, now);
  }

  #bare(request: JoinRequest, key: string, address: string): Asking {
    return { request, key, ruled: applyRules(this.#ledger.rules.values(), request.facts, address) };
  }

  /** What a request stands on; a sentence where it claims what does not hold. */
  #asking(request: JoinRequest, key: string, address: string): Asking | { readonly sentence: string } {
    const asking = this.#bare(request, key, address);
    const now = this.#parts.now();
    // Who has joined by this very request already needs nothing more to be told so again, not even a token with uses left.
    if (this.admissions.roster.byKey(key)) return asking;
    if (request.token !== undefined) {
      const read = readToken(this.#ledger.tokens, request.token, now);
      return 'sentence' in read ? read : { ...asking, token: read.token };
    }
    if (!request.clone_of) return asking;
    const { cert, proof } = request.clone_of;
    const held = heldCertificate('clone', cert, request.csr, proof);
    if (!held)
      return {
        sentence:
          'The certificate of the copied folder is shown without its key: remove the folder, and join with a token.',
      };
    const who = this.#parts.ca.verifyExpired(held.certificate);
    const record = who?.kind === 'node' ? this.#ledger.nodes.get(who.name) : undefined;
    if (!record || !this.admissions.isKeyOf(record, held.key)) return asking;
    return record.state === 'revoked' ? { sentence: revokedSentence(record.node) } : { ...asking, copyOf: record };
  }

  /** A sentence for what the other side can mend, and for a disk that refuses; a defect stays one. */
  async #answering(run: () => Promise<JoinReply>): Promise<JoinReply> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof UserError) return refused(error.message);
      this.#parts.log.error({ error: printable(String((error as Error).stack ?? error), 2000) }, 'joining failed');
      return refused('The supervisor could not answer this: its log says why.', 60_000);
    }
  }

  async #inLane<T>(lane: string, run: () => Promise<T>): Promise<T> {
    const before = this.#lanes.get(lane);
    const mine = (async () => {
      await before?.catch(() => {});
      return run();
    })();
    this.#lanes.set(lane, mine);
    try {
      return await mine;
    } finally {
      if (this.#lanes.get(lane) === mine) this.#lanes.delete(lane);
    }
  }

  #ended(change: () => void): void {
    change();
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

const waitReply = (waiting: Waiting, now: number): JoinReply => ({
  state: 'pending',
  ticket: waiting.ticket,
  code: waiting.code,
  retry_ms: retryMs(now - waiting.since),
});
