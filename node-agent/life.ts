/**
 * The life of an agent from its start to its end: joining, running as a member, moving to another cluster. What is to be
 * done is decided in start-way.ts; here it is done, one phase after the other, and what runs as a service runs through all.
 */
import { hostname } from 'node:os';
import { builtMs } from '../shared/built.ts';
import type { Timer } from '../shared/clock.ts';
import { UserError } from '../shared/user-error.ts';
import type { Agent, AgentState } from './agent.ts';
import { Asking } from './asking.ts';
import { parseBroker, urlOf } from './connection/broker-address.ts';
import { noWay } from './connection/no-way.ts';
import { TrustedTime } from './connection/trusted-time.ts';
import { wayTo } from './connection/way.ts';
import type { AgentMemory } from './disk.ts';
import { createFilesDisk } from './files-disk.ts';
import { startOver } from './join/copied.ts';
import { Member } from './join/member.ts';
import { type Membership, membershipFiles } from './join/membership.ts';
import { type Asked, type JoinPlan, type StartWay, startWay } from './join/start-way.ts';
import type { AgentOptions } from './options.ts';
import { probe } from './probe.ts';
import { type AgentRun, makeAgent, type Surroundings } from './run-agent.ts';
import { decideIdentity } from './session/identity.ts';
import { readTokenFile } from './token-file.ts';

export interface LifeEvents {
  /** Whether it is connected, under this id; told again with every attempt. */
  reaches(node: string, online: boolean): void;
  /** The agent can or may not go on. Without a sentence it was told to. */
  over(sentence?: string): void;
}

/** Where an agent looks that was told nothing: the broker of a supervisor on this machine. */
const ownBroker = 'mqtt://127.0.0.1:1883';
const probeEveryMs = 10_000;

export class Life {
  readonly #around: Surroundings;
  readonly #options: AgentOptions;
  readonly #events: LifeEvents;
  readonly #files;
  readonly #disk;
  #time: TrustedTime;
  readonly #asking: Asking;
  #agent: Agent | undefined;
  #member: Member | undefined;
  #probing: Timer | undefined;
  #clockOffMs: number | undefined;
  #stopped = false;
  /** What follows when the agent has left its cluster; undefined: nothing does. */
  #afterLeaving: (() => void) | undefined;

  constructor(around: Surroundings, options: AgentOptions, events: LifeEvents) {
    this.#around = around;
    this.#options = options;
    this.#events = events;
    this.#files = membershipFiles(around.data);
    this.#disk = createFilesDisk(around.data);
    this.#time = new TrustedTime(around.clock, builtMs);
    this.#asking = new Asking({
      around,
      inst: () => this.#memory().inst,
      given: () => [...(this.#files.member()?.tokens ?? []), ...(options.token ? [options.token.id] : [])],
      clockOff: (ms, time) => time === this.#time && this.#clockOff(ms),
    });
  }

  start(): void {
    this.#guard(() => this.#enter(this.#decide()));
  }

  /** There is a new token in the folder, or one that was of no use before may be now. */
  wake(): void {
    if (this.#stopped || this.#afterLeaving) return;
    try {
      const way = this.#decide();
      const stays = way.kind === 'member' || way.kind === 'move';
      if (!this.#agent || !stays) this.#endPhase(() => this.#guard(() => this.#enter(way)));
      else if (way.next) this.#askElsewhere(way.next);
    } catch (error) {
      this.#around.log.error({}, (error as Error).message);
    }
  }

  stop(stopServices: boolean, done: () => void): void {
    this.#stopped = true;
    this.#endPhase(done, stopServices);
  }

  #decide(): StartWay {
    const { data } = this.#around;
    const token = readTokenFile(data);
    const asked: Asked = { ...this.#options, ...(token === undefined ? {} : { token }) };
    const { member, adopted, former } = this.#files;
    const kept = { memory: this.#disk.load(), member: member(), adopted: adopted(), former: former() };
    return startWay(asked, kept, this.#asking.machine);
  }

  /** What cannot go on, because a file cannot be read or written, ends with the sentence that says so. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#events.over(error.message);
    }
  }

  #enter(way: StartWay): void {
    if (this.#stopped) return;
    switch (way.kind) {
      case 'error':
        this.#events.over(way.sentence);
        break;
      case 'broker':
        this.#runAtBroker();
        break;
      case 'move':
        this.#runAtBroker();
        this.#askElsewhere(way.next);
        break;
      case 'member':
        this.#runAsMember(way.member);
        if (way.next) this.#askElsewhere(way.next);
        break;
      case 'leave':
        this.#leave(way.adopted);
        break;
      case 'search':
        this.#search(way.plan);
        break;
      case 'join':
        this.#join(way);
    }
  }

  #run(run: Omit<AgentRun, 'safe'>): void {
    const { safe } = this.#options;
    const make = this.#around.makeAgent ?? makeAgent;
    this.#agent = make(this.#around, { ...run, safe, onState: (state, error) => this.#onState(state, error) });
    if (this.#clockOffMs !== undefined) this.#agent.clockOff(this.#clockOffMs);
    this.#agent.start();
  }

  #onState(state: AgentState, error?: string): void {
    const agent = this.#agent;
    this.#around.log.debug({ epoch: agent?.epoch }, state);
    if (state === 'refused') this.#events.over(error ?? 'the agent cannot start');
    else if ((state === 'online' || state === 'waiting') && agent) this.#events.reaches(agent.node, state === 'online');
    else if (state === 'left') {
      this.#agent = undefined;
      if (this.#afterLeaving) {
        const next = this.#afterLeaving;
        this.#afterLeaving = undefined;
        // The agent says goodbye to those who wait for its end first.
        setImmediate(next);
      } else {
        this.#files.forget('member', 'key');
        this.#events.over();
      }
    }
  }

  #clockOff(ms: number): void {
    this.#clockOffMs = ms;
    this.#agent?.clockOff(ms);
  }

  /** What a person decided about this node. */
  #chosen(): { readonly node?: string; readonly cluster?: string } {
    const { node, cluster } = this.#options;
    return { ...(node === undefined ? {} : { node }), ...(cluster === undefined ? {} : { cluster }) };
  }

  #runAtBroker(): void {
    const { base, broker = parseBroker(ownBroker) } = this.#options;
    this.#run({ base, way: wayTo(broker, this.#options.httpPort), trustFirst: broker.loopback, ...this.#chosen() });
  }

  #runAsMember(member: Membership): void {
    const { clock, random, log, verifier } = this.#around;
    this.#becomes(member);
    const first = this.#options.broker?.tls ? urlOf(this.#options.broker) : undefined;
    const way = new Member({
      ...{ member, clock, random, log, verifier, files: this.#files, key: this.#files.key(), time: this.#time },
      ...(first === undefined ? {} : { first }),
      clockOff: ms => this.#clockOff(ms),
      stayAway: ms => this.#agent?.stayAway(ms),
      refused: () => this.wake(),
    });
    this.#member = way;
    const { room, zone, roles } = member;
    const labels = { ...(room ? { room } : {}), ...(zone ? { zone } : {}), ...(roles ? { roles } : {}) };
    this.#run({ base: member.base, way, labels, trustFirst: false, onHello: hello => way.hello(hello.bundle) });
    way.start();
  }

  /** The id and the cluster that the certificate is for. */
  #becomes({ node, cluster }: Membership): void {
    const memory = this.#memory();
    const same = memory.node === node && !memory.defaulted && memory.cluster?.fingerprint === cluster.fingerprint;
    if (same) return;
    const { inst, epochCeiling } = memory;
    this.#disk.save({ node, inst, epochCeiling, cluster });
  }

  /** This installation's, made now where there is none. */
  #memory(): AgentMemory {
    const kept = this.#disk.load();
    if (kept) return kept;
    const choice = { ...this.#chosen(), hostname: hostname(), trustFirst: true };
    const made = decideIdentity(undefined, choice, this.#around.random);
    if ('error' in made) throw new Error(made.error);
    this.#disk.save(made.memory);
    return made.memory;
  }

  #join(way: Extract<StartWay, { readonly kind: 'join' }>): void {
    const { data, log } = this.#around;
    let { plan } = way;
    if (way.copied || plan.former) {
      if (way.copied) log.warn({}, `this folder is a copy of node "${way.copied.node}": this machine joins as another`);
      plan = { ...plan, former: startOver(data, this.#files, way.copied) };
    }
    if (way.fresh) this.#files.forget('member', 'key');
    // What a cluster started here runs while the node asks for its certificate.
    if (this.#memory().cluster) this.#run({ base: this.#options.base, way: noWay('joining'), trustFirst: false });
    this.#asking.ask(plan, this.#files.key(), this.#time, membership => {
      this.#files.saveMember(membership);
      this.#files.forget('former');
      const next = () => {
        this.#becomes(membership);
        this.#asking.done(plan, membership.node);
        this.#enter(this.#decide());
      };
      this.#endPhase(() => this.#guard(next));
    });
  }

  /** Asks another cluster while everything here goes on. */
  #askElsewhere(plan: JoinPlan): void {
    // What time it is here is for this cluster's supervisor to say.
    const time = new TrustedTime(this.#around.clock, builtMs);
    this.#asking.ask(plan, this.#files.nextKey(), time, membership => {
      this.#files.saveAdopted(membership);
      this.#asking.done(plan, membership.node);
      this.#leave(membership);
    });
  }

  /** Leaves the cluster that the node is in, with all that it started here, and goes on in the one that has taken it. */
  #leave(adopted: Membership): void {
    this.#asking.stop();
    this.#member?.stop();
    const next = () => {
      this.#files.takeNextKey();
      this.#files.saveMember(adopted);
      this.#becomes(adopted);
      this.#files.forget('adopted');
      this.#member = undefined;
      this.#time = new TrustedTime(this.#around.clock, builtMs);
      this.#around.log.info({ node: adopted.node, cluster: adopted.cluster.fingerprint }, 'moved to another cluster');
      this.#enter(this.#decide());
    };
    this.#afterLeaving = () => this.#guard(next);
    if (!this.#agent) this.#run({ base: this.#options.base, way: noWay('leaving'), trustFirst: true });
    this.#agent?.forget(() => {});
  }

  /** Nothing was said and nothing is known: a supervisor on this machine comes first, then one on the network. */
  #search(plan: JoinPlan): void {
    let asking = false;
    const look = () => {
      const { host, port } = parseBroker(ownBroker);
      probe(host, port, yes => {
        if (this.#stopped || (this.#probing === undefined && asking)) return;
        if (yes) return this.#endPhase(() => this.#runAtBroker());
        if (!asking) this.#join({ kind: 'join', plan });
        asking = true;
        this.#probing = this.#around.clock.after(probeEveryMs, look);
      });
    };
    look();
  }

  /** Ends what runs, its services aside. */
  #endPhase(then: () => void, stopServices = false): void {
    this.#asking.stop();
    this.#probing?.cancel();
    this.#probing = undefined;
    this.#member?.stop();
    this.#member = undefined;
    const agent = this.#agent;
    this.#agent = undefined;
    if (agent) agent.stop({ stopServices }, then);
    else then();
  }
}
