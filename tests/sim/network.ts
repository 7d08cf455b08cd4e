/**
 * The network: one path per machine to the broker's machine, and TCP connections over it. TCP as programs see it: what
 * is sent on one connection arrives in order, whole, after a delay; while the path is cut it waits and arrives after the
 * cut; what is lost is always the rest of a stream, when its connection ends. A side that vanished without a word (cut
 * cable, power gone, process stopped) is noticed by the other side's keepalive only, or by a reset when it is back.
 */
import type { Process, Timeline } from './clock.ts';
import type { Dice } from './random.ts';

/** The way between a machine and the broker's machine. Each direction is cut by itself. */
export class Path {
  /** Packets towards the broker, and from it, go nowhere. */
  cutUp = false;
  cutDown = false;
  /** Bounds of the one-way delay, milliseconds. */
  delay: readonly [number, number] = [0.2, 3];
}

/** One end of a connection. */
export interface End {
  /** Whose socket it is; arrivals go through it. */
  readonly process: Process;
  /** The other side is known to be gone: a FIN or reset arrived, or the keepalive ran out. Called once at most. */
  gone(why: string): void;
  /** Milliseconds of silence after which this end gives up, drawn anew for every silence. */
  patience(): number;
}

/** So long after a cut what it held back arrives at last. */
export const mostHeldMs = 800;

type Side = 'client' | 'server';

export class Wire {
  #network: Network;
  #path: Path;
  #ends: Record<Side, End>;
  /** `open`; `closed` by its own process; `vanished`: the machine lost power and knows nothing of it. */
  #state: Record<Side, 'open' | 'closed' | 'vanished'> = { client: 'open', server: 'open' };
  #lastArrival: Record<Side, number> = { client: 0, server: 0 };
  #held: Record<Side, (() => void)[]> = { client: [], server: [] };
  #silent: Record<Side, boolean> = { client: false, server: false };
  #silence: Record<Side, number> = { client: 0, server: 0 };
  /** What was sent before this moment and has not arrived is lost (a reset discards it). */
  #dropped: Record<Side, number> = { client: -1, server: -1 };

  constructor(network: Network, path: Path, client: End, server: End) {
    this.#network = network;
    this.#path = path;
    this.#ends = { client, server };
    network.wires.add(this);
    this.review();
  }

  get over(): boolean {
    return this.#state.client !== 'open' && this.#state.server !== 'open';
  }

  /** Sends to the `to` side; `run` happens there on arrival, unless that side is closed by then. */
  send(to: Side, run: () => void): void {
    const { timeline, dice } = this.#network;
    const sentAt = timeline.now;
    const [least, most] = this.#path.delay;
    const at = Math.max(this.#lastArrival[to], sentAt + dice.between(least, most));
    this.#lastArrival[to] = at;
    timeline.at(at, () => this.#arrive(to, sentAt, run));
  }

  #cut(to: Side): boolean {
    return to === 'server' ? this.#path.cutUp : this.#path.cutDown;
  }

  #arrive(to: Side, sentAt: number, run: () => void): void {
    if (sentAt < this.#dropped[to]) return;
    if (this.#cut(to) || this.#held[to].length > 0) {
      this.#held[to].push(() => this.#take(to, sentAt, run));
      return;
    }
    this.#take(to, sentAt, run);
  }

  #take(to: Side, sentAt: number, run: () => void): void {
    if (sentAt < this.#dropped[to]) return;
    if (this.#state[to] !== 'open') {
      this.#reset(to);
      return;
    }
    const end = this.#ends[to];
    end.process.arrive(this, () => {
      if (this.#state[to] === 'open') run();
    });
  }

  /** A packet came to a machine that has no such socket: its kernel answers with a reset, if it has power. */
  #reset(from: Side): void {
    const to = other(from);
    if (this.#state[to] !== 'open' || !this.#network.powered(this.#ends[from].process)) return;
    if (!this.#cut(to)) this.#tellGone(to, 'connection reset');
  }

  #tellGone(side: Side, why: string): void {
    const end = this.#ends[side];
    end.process.arrive(this, () => {
      if (this.#state[side] !== 'open') return;
      this.#close(side);
      end.gone(why);
    });
  }

  /**
   * Closes one side. `abort` may lose what is still under way in its direction (a reset); otherwise it arrives, then the
   * end of the stream does.
   */
  close(side: Side, abort: boolean): void {
    if (this.#state[side] !== 'open') return;
    const to = other(side);
    const { timeline, dice } = this.#network;
    if (abort && dice.chance(0.5)) this.#dropped[to] = timeline.now - dice.between(0, 5);
    this.send(to, () => this.#tellGone(to, 'connection closed'));
    this.#close(side);
  }

  /** The machine of this side lost power: nobody is told. */
  vanish(side: Side): void {
    if (this.#state[side] !== 'open') return;
    this.#state[side] = 'vanished';
    const { timeline, dice } = this.#network;
    if (dice.chance(0.5)) this.#dropped[other(side)] = timeline.now - dice.between(0, 5);
    this.review();
  }

  #close(side: Side): void {
    if (this.#state[side] === 'open') this.#state[side] = 'closed';
    if (this.over) this.#network.wires.delete(this);
  }

  /** Looks again at who hears whom; called whenever a path, a process or a machine changes. */
  review(): void {
    for (const to of ['client', 'server'] as const) {
      if (!this.#cut(to) && this.#held[to].length > 0) this.#release(to);
      if (this.#state[to] !== 'open') continue;
      const from = other(to);
      // A ping needs both ways to be answered; the server's watch needs only the way up.
      const cut = to === 'server' ? this.#path.cutUp : this.#path.cutUp || this.#path.cutDown;
      const mute = this.#state[from] === 'vanished' || this.#ends[from].process.stalled;
      const silent = (cut || mute) && !this.#ends[to].process.stalled;
      if (silent && !this.#silent[to]) this.#watch(to, ++this.#silence[to]);
      if (!silent) this.#silence[to]++;
      this.#silent[to] = silent;
    }
  }

  /** TCP sends again after its retransmission timeout, which has grown meanwhile. */
  #release(to: Side): void {
    const { timeline, dice } = this.#network;
    timeline.after(dice.between(5, mostHeldMs), () => {
      if (this.#cut(to)) return;
      for (const run of this.#held[to].splice(0)) run();
    });
  }

  #watch(side: Side, silence: number): void {
    const { timeline } = this.#network;
    const end = this.#ends[side];
    timeline.after(end.patience(), () => {
      if (this.#silence[side] !== silence || this.#state[side] !== 'open') return;
      end.process.arrive(this, () => {
        if (this.#silence[side] !== silence || this.#state[side] !== 'open') return;
        this.close(side, true);
        end.gone('keepalive timeout');
      });
    });
  }
}

const other = (side: Side): Side => (side === 'client' ? 'server' : 'client');

export class Network {
  readonly wires = new Set<Wire>();
  readonly timeline: Timeline;
  readonly dice: Dice;
  /** Whether the machine of a process (dead or alive) has power at the moment. */
  readonly powered: (process: Process) => boolean;

  constructor(timeline: Timeline, dice: Dice, powered: (process: Process) => boolean) {
    this.timeline = timeline;
    this.dice = dice;
    this.powered = powered;
  }

  review(): void {
    for (const wire of [...this.wires]) wire.review();
  }
}
