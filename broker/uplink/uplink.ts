/**
 * Hearth as a client of the user's own broker: rooms, status and Home Assistant's discovery go there, commands for rooms
 * and a few for nodes come back.
 *
 * - Will, and farewell: `<base>/status` `offline`, retained; `online` once everything else is there.
 * - What is retained is kept here by topic, the newest only, and said again at every connect. Telemetry is dropped while
 *   the broker is away, and goes over at most every 10 s for each node; answers wait a minute.
 * - What an earlier life left there and nobody said again within half a minute is removed.
 * - Retained commands are answered and removed, never run.
 * - Another Hearth on the same base of that broker: see standing.ts.
 *
 * The connection is a Bus on an outside broker: MQTT 5, else 3.1.1; full jitter up to 10 s; bounded.
 */

import type { Bus, BusMessage } from '../../shared/bus.ts';
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { decode } from '../../shared/codec.ts';
import { limits, proto } from '../../shared/limits.ts';
import type { Log } from '../../shared/log.ts';
import { printable } from '../../shared/names.ts';
import type { ResultMessage } from '../../shared/schemas/fabric.ts';
import { type Hello, helloPayload } from '../../shared/schemas/presence.ts';
import { matches } from '../../shared/topics.ts';
import type { Outlet } from '../homeassistant/outlet.ts';
import { connectOutsideBus } from '../mqtt/outside.ts';
import { RetainedCommands } from '../orders/retained-commands.ts';
import { Kept, keptLimits } from './kept.ts';
import { type StandingEffect, UplinkStanding } from './standing.ts';
import { commandFilters, isCommand, isMirrored, leftFilters, mayCommand } from './topics.ts';

export interface UplinkOptions {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`, with user name and password where needed; they are never logged. */
  readonly url: string;
  readonly base: string;
  readonly ver: string;
  /** Fingerprint of the cluster's key: who this is to another Hearth on that broker. */
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** A command or a reading for a room, or one of the few for a node. Never a retained command. */
  readonly command: (message: BusMessage) => void;
  /** A message on one of {@link Uplink.also}; anybody may have written it. */
  readonly heard: (topic: string, payload: Uint8Array, retain: boolean) => void;
  /** That broker is there, and everything was said. At every connect. */
  readonly up: () => void;
  /** It is not, or another Hearth is there: one sentence. */
  readonly down: (reason: string) => void;
  /** Another connection than the URL's, for tests. */
  readonly bus?: Bus;
}

/** What lies there is looked through for so long after a connect; those who are still there have said so by then. */
const leftMs = 30_000;
const mostLeft = keptLimits.topics;
/** Commands that arrive while it is not yet known whether another Hearth is there. */
const mostEarly = 100;
/** Between two corrections of a `status` that others write. */
const repairMs = 5000;

export class Uplink {
  /** Home Assistant's discovery; what is told while the broker is away is lost, and told again after `up`. */
  readonly outlet: Outlet;
  readonly #options: UplinkOptions;
  readonly #bus: Bus;
  readonly #retained: RetainedCommands;
  readonly #kept = new Kept();
  readonly #standing: UplinkStanding;
  readonly #boot: string;
  readonly #status: string;
  readonly #hello: string;
  readonly #commands: readonly string[];
  #also: readonly string[] = [];
  #early: BusMessage[] = [];
  /** Retained there, and nothing of ours so far; undefined: not looked for now. */
  #left: Set<string> | undefined;
  #lookedThrough = false;
  #timer: Timer | undefined;
  #sweep: Timer | undefined;
  #repair: Timer | undefined;
  #stopped = false;

  /** @throws UserError when the URL cannot be one of a broker. */
  constructor(options: UplinkOptions) {
    this.#options = options;
    const { url, base, log, clock, random } = options;
    this.#bus = options.bus ?? connectOutsideBus({ url, base, log, clock, random });
    this.#retained = new RetainedCommands(this.#bus, clock);
    this.#boot = random.hex(8);
    this.#standing = new UplinkStanding(this.#boot);
    this.#status = `${base}/status`;
    this.#hello = `${base}/hello`;
    this.#commands = commandFilters(base);
    this.outlet = {
      name: 'uplink',
      publish: (topic, text, { retain, qos }) => {
        if (this.#standing.leads && !this.#stopped) this.#bus.publish(topic, text, { qos, retain });
      },
    };
  }

  /** Messages that found no room while the broker was away. */
  get dropped(): number {
    return this.#kept.dropped;
  }

  start(): void {
    this.#bus.start([...this.#commands, this.#status, this.#hello], {
      up: () => this.#act(this.#standing.up(this.#options.clock.now())),
      down: reason => this.#away(reason),
      message: message => this.#message(message),
    });
  }

  /** A message of this cluster as it is on Hearth's own broker; what is none of {@link isMirrored} is passed over. */
  mirror(
    topic: string,
    payload: string | Uint8Array,
    { retain = false, qos = 1 }: { readonly retain?: boolean; readonly qos?: 0 | 1 } = {},
  ): void {
    // `status` says there whether this connection stands.
    if (this.#stopped || topic === this.#status || !isMirrored(topic, this.#options.base)) return;
    const now = this.#options.clock.now();
    const { leads } = this.#standing;
    if (retain) {
      if (this.#kept.retain(topic, payload) && leads) this.#bus.publish(topic, payload, { qos: 1, retain: true });
    } else if (qos === 0 || !topic.endsWith('/result')) {
      if (leads && this.#kept.pace(topic, now)) this.#bus.publish(topic, payload, { qos });
    } else if (leads) this.#bus.publish(topic, payload, { qos });
    else this.#kept.answer({ topic, payload, at: now });
  }

  /** Hears these topics of that broker, too: each call replaces what the one before said. */
  also(filters: readonly string[]): void {
    this.#also = [...filters];
    this.#listen();
  }

  /** Says goodbye; `done` runs when the connection is closed, or after a few seconds. */
  stop(done: () => void): void {
    if (this.#stopped) {
      done();
      return;
    }
    this.#stopped = true;
    for (const timer of [this.#timer, this.#sweep, this.#repair]) timer?.cancel();
    if (this.#standing.leads) this.#bus.publish(this.#status, 'offline', { qos: 1, retain: true });
    this.#bus.stop(done);
  }

  #listen(): void {
    this.#bus.also(this.#left ? [...leftFilters(this.#options.base), ...this.#also] : this.#also);
  }

  #away(reason: string): void {
    this.#standing.down();
    this.#retained.down();
    this.#early = [];
    this.#endSweep();
    this.#timer?.cancel();
    this.#repair?.cancel();
    this.#repair = undefined;
    if (!this.#stopped) this.#options.down(reason);
  }

  #act(effects: readonly StandingEffect[]): void {
    const { base, log, down } = this.#options;
    for (const effect of effects) {
      if (effect.type === 'hello') this.#sayHello(effect.standing);
      else if (effect.type === 'lead') this.#lead();
      else {
        const way = 'stop one of them, or give one another --base';
        const sentence = `another Hearth (its cluster is ${printable(effect.cluster)}) is on the base "${base}" of the uplink's broker: ${way}`;
        log.warn({}, sentence);
        if (effect.silent) {
          this.#early = [];
          this.#endSweep();
          down(sentence);
        }
      }
    }
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    const { due } = this.#standing;
    if (due === Number.POSITIVE_INFINITY || this.#stopped) return;
    const { clock } = this.#options;
    this.#timer = clock.after(due - clock.now(), () => this.#act(this.#standing.tick(clock.now())));
  }

  #sayHello(standing: NonNullable<Hello['standing']>): void {
    const { cluster, ver, clock } = this.#options;
    const hello: Hello = { cluster, boot: this.#boot, gen: 0, rev: 0, ver, proto, at_ms: clock.wall(), standing };
    this.#bus.publish(this.#hello, JSON.stringify(hello), { qos: 1 });
  }

  /** Everything that is to be there, `online` at the end: who reads it finds the rest. */
  #lead(): void {
    const { clock, up } = this.#options;
    for (const [topic, payload] of this.#kept.all()) this.#bus.publish(topic, payload, { qos: 1, retain: true });
    for (const { topic, payload } of this.#kept.takeAnswers(clock.now())) this.#bus.publish(topic, payload, { qos: 1 });
    this.#bus.publish(this.#status, 'online', { qos: 1, retain: true });
    this.#look();
    const early = this.#early;
    this.#early = [];
    up();
    for (const message of early) this.#command(message);
  }

  /** Once in a life: what comes later is known. */
  #look(): void {
    if (this.#lookedThrough || this.#left) return;
    this.#left = new Set();
    this.#listen();
    this.#sweep = this.#options.clock.after(leftMs, () => {
      for (const topic of this.#left ?? []) {
        if (!this.#kept.wants(topic)) this.#bus.publish(topic, '', { qos: 1, retain: true });
      }
      this.#lookedThrough = true;
      this.#endSweep();
    });
  }

  #endSweep(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
    if (!this.#left) return;
    this.#left = undefined;
    this.#listen();
  }

  #message(message: BusMessage): void {
    if (this.#stopped) return;
    const { topic, payload, retain } = message;
    const { base } = this.#options;
    if (topic === this.#hello) this.#heardHello(message);
    else if (topic === this.#status) this.#heardStatus(message);
    else if (this.#commands.some(filter => matches(filter, topic))) {
      if (this.#standing.asks && this.#early.length < mostEarly) this.#early.push(message);
      else this.#command(message);
    } else if (this.#left && retain && payload.length > 0 && this.#left.size < mostLeft && isMirrored(topic, base)) {
      this.#left.add(topic);
    }
    if (this.#also.some(filter => matches(filter, topic))) this.#options.heard(topic, payload, retain);
  }

  #command(message: BusMessage): void {
    const { base, log, clock, command } = this.#options;
    const { topic, payload, retain, qos } = message;
    if (!this.#standing.leads || !isCommand(topic, base)) return;
    const [, noun, id, part, word] = topic.split('/');
    if (part !== 'in') {
      const verdict = this.#retained.judge(message);
      if (verdict === 'swallow') return;
      if (verdict === 'refuse') {
        log.warn({ topic: printable(topic, 128) }, 'a retained command on the uplink was not run, and is removed');
        const error = 'retained: not run, and removed from the broker; publish commands without the retain flag';
        const result: ResultMessage = { ok: false, part: part ?? '', key: word ?? '', error, at_ms: clock.wall() };
        if (noun === 'room') this.mirror(`${base}/room/${id}/result`, JSON.stringify(result));
        return;
      }
    }
    if (!mayCommand(topic, base, payload)) {
      log.warn({ topic: printable(topic, 128) }, 'a command on the uplink says more than Home Assistant may: not run');
      return;
    }
    if (payload.length > limits.message) {
      log.warn({ topic: printable(topic, 128), bytes: payload.length }, 'a message on the uplink is too long');
      return;
    }
    // Without the asker's own response topic: that one is on another broker than the answer.
    command({ topic, payload, qos, retain });
  }

  #heardHello({ payload, retain }: BusMessage): void {
    const hello = decode(helloPayload, payload, { maxBytes: 1024, maxDepth: 2 });
    if (hello.ok && !retain) this.#act(this.#standing.heard(hello.value, this.#options.clock.now()));
  }

  /** The late will of the process before this one, or of a connection that was given up. */
  #heardStatus({ payload }: BusMessage): void {
    if (Buffer.from(payload).toString() !== 'offline' || !this.#standing.leads || this.#repair) return;
    this.#bus.publish(this.#status, 'online', { qos: 1, retain: true });
    this.#repair = this.#options.clock.after(repairMs, () => {
      this.#repair = undefined;
      if (this.#standing.leads && !this.#stopped) this.#bus.publish(this.#status, 'online', { qos: 1, retain: true });
    });
  }
}
