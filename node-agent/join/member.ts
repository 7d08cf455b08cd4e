/**
 * A node of a cluster, as its network sees it: the way to the broker with its certificate, and what keeps that certificate,
 * the bundle and the time fresh ({@link Upkeep}). The requests themselves are loaded when they are made.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import type { Verifier } from '../../shared/authority.ts';
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import { serverName } from '../../shared/schemas/trust.ts';
import type { SupervisorAt } from '../artifacts/supervisor-at.ts';
import { BrokerList } from '../connection/broker-list.ts';
import type { TrustedTime } from '../connection/trusted-time.ts';
import { openVerified } from '../connection/verified-socket.ts';
import { type Opening, type Outcome, openTimeoutMs, type Way } from '../connection/way.ts';
import { LostSupervisor } from './lost-supervisor.ts';
import { lifeOf, type Membership, type MembershipFiles, pemOf } from './membership.ts';
import type { Renewal } from './renewal.ts';
import { Upkeep } from './upkeep.ts';

export interface MemberParts {
  readonly member: Membership;
  readonly files: Pick<MembershipFiles, 'saveMember'>;
  readonly key: KeyObject;
  /** A broker that a person named is tried before all others. */
  readonly first?: string;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly random: Random;
  readonly time: TrustedTime;
  readonly log: Log;
  clockOff(ms: number): void;
  /** The supervisor refuses this node: it is not to connect for so long. */
  stayAway(ms: number): void;
  /** That is known and kept now: a token that was given before is of use. */
  refused(): void;
}

export class Member implements Way {
  readonly #parts: MemberParts;
  readonly #brokers: BrokerList;
  readonly #upkeep: Upkeep;
  readonly #lost: LostSupervisor;
  #member: Membership;
  #timer: Timer | undefined;
  #stopped = false;
  /** Of the connect that is under way or lives. */
  #attempt = { secure: false, up: false };
  #said = '';

  constructor(parts: MemberParts) {
    const { member, clock, random, time, first } = parts;
    this.#parts = parts;
    this.#member = member;
    time.remember(member.floor_ms);
    this.#brokers = new BrokerList([...(first === undefined ? [] : [first]), ...member.brokers]);
    this.#upkeep = new Upkeep(lifeOf(member.cert), random, clock.now());
    this.#lost = new LostSupervisor(member.cluster.fingerprint, clock, found => {
      const { port } = this.#brokers.current();
      this.#brokers.add(found.map(host => `mqtts://${host}:${port}`));
    });
  }

  start(): void {
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#lost.close();
  }

  /** The supervisor says which bundle is the newest. */
  hello(bundle: number | undefined): void {
    if (bundle === undefined || bundle <= this.#member.serial) return;
    this.#upkeep.newBundle(this.#parts.clock.now());
    this.#arm();
  }

  open(on: Opening): () => void {
    const { time, key } = this.#parts;
    const { cluster, ca, cert } = this.#member;
    this.#attempt = { secure: false, up: false };
    if (this.#upkeep.expired(time.now())) {
      // Its refusal would say nothing; the renewal is due since long and goes by HTTPS.
      const soon = setImmediate(() => on.failed("this node's certificate has expired, and is not renewed yet"));
      return () => {
        clearImmediate(soon);
        on.failed('given up');
      };
    }
    const { host, port } = this.#brokers.current();
    const name = serverName(cluster.fingerprint);
    const target = { host, port, servername: name, timeoutMs: openTimeoutMs, trust: { ca, name, at: time.now() } };
    return openVerified(
      { ...target, identity: { cert, key: pemOf(key) } },
      {
        ready: (socket, direct) => {
          this.#attempt.secure = true;
          // The CA is one that only another CA vouches for: there is a bundle that names it.
          if (!direct) this.#upkeep.newBundle(this.#parts.clock.now());
          on.ready(socket);
        },
        failed: ({ why, sentence }) => {
          if (why !== undefined) {
            this.#warn(`the broker at ${host}:${port} is not this cluster's: ${sentence}`);
            this.#upkeep.distrusted();
          }
          on.failed(`${host}:${port}: ${sentence}`);
        },
      },
    );
  }

  /** Where its store is, and its mirror: the node is known there by the same certificate. */
  supervisor(): SupervisorAt {
    const { time, key } = this.#parts;
    const { cluster, ca, cert } = this.#member;
    const trust = { ca, name: serverName(cluster.fingerprint), at: time.now() };
    return { urls: this.#addresses().map(at => `https://${at}`), tls: { trust, identity: { cert, key: pemOf(key) } } };
  }

  came(how: Outcome): void {
    const now = this.#parts.clock.now();
    const { secure, up } = this.#attempt;
    if (how === 'up') {
      this.#attempt.up = true;
      this.#said = '';
      this.#upkeep.up();
      this.#lost.found();
      this.#keepOrder();
    } else if (!up) {
      if (secure) this.#upkeep.refused(how === 'refused', now);
      this.#brokers.failed();
      this.#lost.failed();
    }
    this.#arm();
  }

  /** What worked is tried first after a restart, too; and a refusal that is over is forgotten. */
  #keepOrder(): void {
    const { refused, ...rest } = this.#member;
    const { url } = this.#brokers;
    if (refused === undefined && rest.brokers.includes(url)) return;
    this.#keep({ ...rest, brokers: [...new Set([url, ...rest.brokers])].slice(0, 16) });
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    const { clock, time } = this.#parts;
    const at = this.#upkeep.deadline(clock.now(), time.now());
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => this.#tick());
  }

  #tick(): void {
    const { clock, time, key, verifier, clockOff } = this.#parts;
    const effect = this.#upkeep.due(clock.now(), time.now());
    if (effect) {
      const parts = { member: this.#member, key, verifier, time, clockOff };
      import('./renewal.ts')
        .then(({ renewal }) => renewal(this.#addresses(), effect.type, parts))
        .then(
          done => this.#done(done),
          (error: Error) => this.#failed(error),
        );
    }
    this.#arm();
  }

  /** Where the supervisor answers by HTTPS: where its broker is, at the port where it was when this node joined. */
  #addresses(): readonly string[] {
    const { supervisor } = this.#member;
    const port = supervisor.slice(supervisor.lastIndexOf(':') + 1);
    const hosts = [this.#brokers.url, ...this.#brokers.urls].map(url => new URL(url).hostname);
    return [...new Set([...hosts.map(host => `${host}:${port}`), supervisor])].slice(0, 8);
  }

  #done(done: Renewal): void {
    if (this.#stopped) return;
    const { clock, time, log, stayAway, refused } = this.#parts;
    if (done.kind === 'denied') {
      this.#upkeep.denied(clock.now());
      const ms = this.#upkeep.stayAwayMs;
      this.#keep({ ...this.#member, refused: done.sentence.slice(0, 500) });
      log.error({}, `${refusal(done.sentence)}; services run on, next attempt in ${Math.round(ms / 60_000)} min`);
      stayAway(ms);
      refused();
    } else {
      const news = done.member.serial > this.#member.serial;
      this.#keep(done.member);
      if (news) log.info({ serial: done.member.serial }, 'there is a new trust bundle');
      if (done.kind === 'renewed') {
        const life = lifeOf(done.member.cert);
        this.#upkeep.renewed(life, clock.now());
        this.#brokers.replace([...(this.#parts.first ? [this.#parts.first] : []), ...done.member.brokers]);
        log.info({ until: new Date(life.to).toISOString() }, "this node's certificate was renewed");
      } else {
        this.#upkeep.looked(clock.now());
        if (!isByNewest(done.member)) this.#upkeep.oldIssuer(time.now());
      }
    }
    this.#arm();
  }

  #failed(error: Error): void {
    if (this.#stopped) return;
    const { clock, time } = this.#parts;
    this.#upkeep.failed(clock.now(), time.now());
    const expired = this.#upkeep.expired(time.now());
    this.#warn(
      `the supervisor could not be asked${expired ? ' for the certificate that has expired' : ''}: ${error.message}`,
    );
    this.#arm();
  }

  #keep(member: Membership): void {
    this.#member = member;
    try {
      this.#parts.files.saveMember(member);
    } catch (error) {
      // It counts all the same, until the end of this process.
      this.#parts.log.error({}, (error as Error).message);
    }
  }

  #warn(text: string): void {
    if (text === this.#said) return;
    this.#said = text;
    this.#parts.log.warn({}, text);
  }
}

const refusal = (sentence: string): string =>
  `the supervisor refuses this node (${sentence.replace(/\.$/, '')}): ask for a new token there and give it with "hearth-agent adopt TOKEN"`;

function isByNewest({ cert, ca: [newest = ''] }: Membership): boolean {
  try {
    return new X509Certificate(cert).verify(new X509Certificate(newest).publicKey);
  } catch {
    return true;
  }
}
