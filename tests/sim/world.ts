/** One run's world: time, chance, weather, the network, and the eyes of the properties on everything that happens. */
import type { Broker, Message } from './broker.ts';
import { type Process, Timeline } from './clock.ts';
import { Network } from './network.ts';
import { Dice, hashText } from './random.ts';

/** Parts of the harness that can be broken on purpose, to show that each property can fail. */
export const breakages = [
  'phantom-wills',
  'lost-offline',
  'deaf-broker',
  'early-ack',
  'lost-batch',
  'double-start',
  'replayed-want',
  'deaf-node',
  'gullible-node',
  'killing-adoption',
  'impatient-clock',
  'usurping-node',
  'mute-executor',
  'forgotten-commits',
] as const;
export type Breakage = (typeof breakages)[number];

/** What the properties are told. */
export interface Observer {
  /** A message reached the broker and may go out. `who` is a client id, or undefined for the embedded supervisor. */
  published(message: Message, who: string | undefined): void;
  /** The direction rules kept a message out. */
  refused(message: Message, who: string): void;
}

export interface Weather {
  /** Share of wills that come late. */
  lateWills: number;
  /** Share of QoS 0 messages a queue drops. */
  loseQos0: number;
}

export interface Violation {
  readonly property: string;
  readonly text: string;
  readonly at: number;
}

export interface WorldOptions {
  readonly seed: number;
  readonly kind: 'embedded' | 'outside';
  readonly breaks?: Breakage | undefined;
  /** Keeps the text of the trace, not only its hash. */
  readonly keepTrace?: boolean | undefined;
}

/** A run that takes more steps than this has run away. */
const mostSteps = 150_000;
const mostTraceLines = 50_000;

export class World {
  readonly base = 'hearth';
  readonly seed: number;
  readonly kind: 'embedded' | 'outside';
  readonly breaks: Breakage | undefined;
  readonly timeline = new Timeline();
  readonly dice: Readonly<Record<'network' | 'broker' | 'store' | 'machines', Dice>>;
  readonly weather: Weather = { lateWills: 0, loseQos0: 0 };
  readonly network: Network;
  readonly violations: Violation[] = [];
  readonly trace: string[] = [];
  observe: Observer = { published() {}, refused() {} };
  /** Who answers at the broker's address: nobody (the port is closed), or not even a machine (`dark`). */
  brokerAt: () => Broker | 'dark' | undefined = () => undefined;
  /** Whether the machine of a process has power. */
  powered: (process: Process) => boolean = () => true;
  traceHash = 0x811c9dc5;
  #keepTrace: boolean;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.kind = options.kind;
    this.breaks = options.breaks;
    this.#keepTrace = options.keepTrace ?? false;
    this.dice = {
      network: this.stream('network'),
      broker: this.stream('broker'),
      store: this.stream('store'),
      machines: this.stream('machines'),
    };
    this.network = new Network(this.timeline, this.dice.network, process => this.powered(process));
  }

  /** A stream of chance of its own. */
  stream(name: string): Dice {
    return new Dice(this.seed, name);
  }

  /** One line of the trace. */
  note(who: string, what: string): void {
    const { now } = this.timeline;
    this.traceHash = hashText(what, hashText(who, this.traceHash ^ Math.floor(now * 1000)));
    if (!this.#keepTrace || this.trace.length >= mostTraceLines) return;
    this.trace.push(`${(now / 1000).toFixed(4).padStart(9)} s  ${who.padEnd(12)} ${what}`);
  }

  /** A property does not hold. The first one ends the run. */
  violate(property: string, text: string): void {
    this.note('VIOLATION', `${property}: ${text}`);
    this.violations.push({ property, text, at: this.timeline.now });
  }

  /** Runs until `time`, or until a property fails. What any part throws is a violation too. */
  runUntil(time: number): boolean {
    try {
      while (this.violations.length === 0 && this.timeline.step(time)) {
        if (this.timeline.steps > mostSteps) this.violate('bounds', `more than ${mostSteps} things happened`);
      }
    } catch (error) {
      this.violate('exception', error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return this.violations.length === 0;
  }
}
