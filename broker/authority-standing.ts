/**
 * Whether this supervisor may speak. Embedded, it always may. On an outside broker it first asks whether it is alone,
 * keeps what people send meanwhile, and later defends its place (authority-rival.ts has the rules).
 */
import type { BusMessage } from '../shared/bus.ts';
import type { Clock, Timer } from '../shared/clock.ts';
import { decode } from '../shared/codec.ts';
import { helloPayload } from '../shared/schemas/presence.ts';
import { judgeRival, rivalTimes, type Standing as Word } from './authority-rival.ts';
import { TokenBucket } from './orders/token-bucket.ts';

export interface StandingParts {
  readonly kind: 'embedded' | 'outside';
  readonly boot: string;
  readonly base: string;
  readonly clock: Clock;
  /** Publishes a `hello`. */
  hello(standing: Word): void;
  /** It may speak: at the start (`first`), whenever the broker is back, and after another one wrote what is its own. */
  alone(first: boolean): void;
  /** It has to give way, with one sentence why. Nothing may be published any more. */
  fatal(sentence: string): void;
  /** Another supervisor is there and neither has to give way. */
  unsettled(sentence: string): void;
}

/** How long after a rival spoke its last words may still arrive; then what it overwrote is put right. */
const repairMs = 2000;
/** Messages kept while it is not yet known whether they are ours to answer: a fleet's retained reports fit. */
const maxKept = 30_000;

export class Standing {
  readonly #parts: StandingParts;
  readonly #hello: string;
  readonly #status: string;
  #state: 'down' | 'probing' | 'leading' | 'gone' = 'down';
  #led = false;
  #upAt = 0;
  readonly #answers: TokenBucket;
  #timer: Timer | undefined;
  #repair: Timer | undefined;
  #kept: (() => void)[] = [];

  constructor(parts: StandingParts) {
    this.#parts = parts;
    this.#hello = `${parts.base}/hello`;
    this.#status = `${parts.base}/status`;
    this.#answers = new TokenBucket(rivalTimes.answers, parts.clock.now());
  }

  /** It may say something now. */
  get speaks(): boolean {
    return this.#state === 'leading';
  }

  /** It spoke, and nobody has taken its place. */
  get leads(): boolean {
    return this.#led && this.#state !== 'gone';
  }

  up(): void {
    if (this.#state === 'gone') return;
    this.#upAt = this.#parts.clock.now();
    if (this.#parts.kind === 'embedded' || this.#led) this.#lead();
    else {
      this.#state = 'probing';
      // Armed first: an answer may be heard before `hello` returns, and it ends the probing.
      this.#timer = this.#parts.clock.after(rivalTimes.probeMs, () => {
        // After a stall of our own the answer may lie in the socket, which is read before this.
        this.#timer = this.#parts.clock.after(0, () => this.#lead());
      });
      this.#parts.hello('probing');
    }
  }

  down(): void {
    if (this.#state === 'gone') return;
    this.#state = 'down';
    this.#timer?.cancel();
    this.#kept = [];
  }

  stop(): void {
    this.#timer?.cancel();
    this.#repair?.cancel();
    // What arrives from now on, such as a rival's hello, is nothing to it any more.
    this.#state = 'gone';
  }

  /** Calls the fleet for births. */
  call(): void {
    this.#parts.hello(this.#word());
  }

  /** Runs `handle` for a message that is ours: now, after the probing, or never. */
  receive(message: BusMessage, handle: () => void): void {
    if (this.#state === 'gone') return;
    const outside = this.#parts.kind === 'outside';
    if (outside && message.topic === this.#hello) this.#heard(message);
    else if (outside && message.topic === this.#status) this.#heardStatus(message);
    else if (this.#state === 'leading') handle();
    else if (this.#kept.length < maxKept) this.#kept.push(handle);
  }

  #lead(): void {
    const first = !this.#led;
    this.#state = 'leading';
    this.#led = true;
    this.#parts.alone(first);
    const kept = this.#kept;
    this.#kept = [];
    for (const handle of kept) handle();
  }

  /** Not ours: the late will of the supervisor before this one (its connection had another client id), or of a rival. */
  #heardStatus(message: BusMessage): void {
    if (Buffer.from(message.payload).toString() === 'offline') this.#repairSoon(0);
  }

  #repairSoon(ms: number): void {
    if (this.#repair) return;
    this.#repair = this.#parts.clock.after(ms, () => {
      this.#repair = undefined;
      if (this.#state === 'leading') this.#parts.alone(false);
    });
  }

  #word(): Word {
    if (this.#state !== 'leading') return 'probing';
    return this.#parts.clock.now() - this.#upAt < rivalTimes.returnMs ? 'returning' : 'settled';
  }

  #heard(message: BusMessage): void {
    const hello = decode(helloPayload, message.payload, { maxBytes: 1024, maxDepth: 2 });
    // A retained hello is of any age: nobody of this fabric writes one.
    if (!hello.ok || message.retain) return;
    const { base, boot, clock } = this.#parts;
    const standing = this.#word();
    const verdict = judgeRival({ boot, standing }, hello.value);
    if (verdict === 'nobody') return;
    const whose = `its cluster is ${hello.value.cluster}`;
    if (verdict === 'give-way') {
      this.#timer?.cancel();
      this.#repair?.cancel();
      this.#state = 'gone';
      this.#kept = [];
      const way = 'stop it first, or give this one another --base';
      this.#parts.fatal(
        `another supervisor is already running on the base "${base}" of this broker (${whose}): ${way}`,
      );
      return;
    }
    if (verdict === 'both-stay') {
      this.#parts.unsettled(`another supervisor is running on the base "${base}" (${whose}): stop one of them`);
    }
    if (verdict === 'stay' && hello.value.standing !== 'probing') this.#repairSoon(repairMs);
    if (verdict === 'stay' && this.#answers.take(clock.now())) this.#parts.hello(standing);
  }
}
