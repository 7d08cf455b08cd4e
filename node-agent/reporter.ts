/** What a node tells: birth, `info`, `is`, `load`, `cores`, `sensors`, `heartbeat`, `log`, `done`; when, and how often at most. */
import type { Clock, Random } from '../shared/clock.ts';
import type { Link } from '../shared/link.ts';
import type { Log } from '../shared/log.ts';
import type { Is } from '../shared/schemas/observed.ts';
import type { Info } from '../shared/schemas/telemetry.ts';
import { topicsOf } from '../shared/topics.ts';
import { relayCap } from '../shared/wake/magic-packet.ts';
import type { WakeSender } from '../shared/wake/sender.ts';
import type { HeatHandlers, HeatSide } from './heat/side.ts';
import type { ReconcilerApi } from './reconcile/reconciler.ts';
import { Beat, beatMs } from './session/beat.ts';
import { ClockWatch } from './session/clock-watch.ts';
import { LogGate, lastPart } from './session/log-gate.ts';
import { Observed } from './session/observed.ts';
import {
  coresText,
  doneText,
  heartbeatText,
  infoText,
  isText,
  loadText,
  lwtText,
  sensorsText,
} from './session/reports.ts';
import { rounded } from './telemetry/machine-files.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import type { WorkHandlers, WorkSide } from './work/side.ts';

/** Who speaks; the node's id and its epoch change while it lives. */
export interface Speaker {
  readonly node: string;
  readonly inst: string;
  readonly epoch: number;
  readonly up: boolean;
  readonly state: Is['state'];
  /** What stands in the way, the weightiest first; the first that is not empty goes on `is`. */
  readonly errors: readonly string[];
  /** What the cluster says about this machine, for `info`. */
  readonly place: Readonly<Record<string, string>>;
}

export interface ReporterParts {
  readonly base: string;
  readonly ver: string;
  readonly link: Link;
  readonly clock: Clock;
  readonly random: Random;
  readonly reconciler: ReconcilerApi;
  readonly telemetry: Telemetry;
  readonly periodMs: number;
  readonly log: Log;
  readonly speaker: Speaker;
  /** Its part in jobs, where it has one. */
  readonly work?: Pick<WorkSide, 'running' | 'plugins' | 'can'> | undefined;
  /** Its part in heating, where it has one. */
  readonly heat?: Pick<HeatSide, 'cores' | 'can' | 'tasksThere'> | undefined;
  /** Its way to wake others, where it has one. */
  readonly waker?: Pick<WakeSender, 'nets'> | undefined;
}

type NodePart = 'lwt' | 'is' | 'info' | 'load' | 'cores' | 'sensors' | 'heartbeat' | 'done';
const retainedParts = new Set<NodePart>(['is', 'info']);
const unacknowledged = new Set<NodePart>(['load', 'cores', 'sensors']);

/** Less than the half minute that it is: loads come on a beat of their own, and a little early now and then. */
const sensorsEveryMs = 29_000;

/** Of output that was asked for; every message is below {@link limits.message}. */
const lastLinesBytes = 192 * 1024;

/** Of plugins' names in `info`. */
const pluginsBytes = 4096;

/** Of networks in `info`. */
const netsBytes = 256;

/** As many as fit, comma-joined. */
function cutList(names: readonly string[], most: number): string {
  let text = names.join();
  while (text.length > most) text = text.slice(0, text.lastIndexOf(','));
  return text;
}

export class Reporter {
  readonly #parts: ReporterParts;
  readonly #topics;
  readonly #beat: Beat;
  readonly #observed = new Observed();
  readonly #logs = new LogGate();
  #facts: Omit<Info, 'node' | 'ver'> | undefined;
  readonly #clock = new ClockWatch();
  #seq = 0;
  /** When its own thermometers are read next, and how many answered. */
  #lookAt = Number.NEGATIVE_INFINITY;
  #sensors = 0;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
    this.#beat = new Beat(parts.periodMs, parts.random);
  }

  /** Gathers the facts; `info` follows when they are there. */
  start(): void {
    this.#parts.telemetry.facts(facts => {
      this.#facts = facts;
      if (this.#parts.speaker.up) this.#info(false);
    });
  }

  /** The payload of a birth (`online`), a farewell or a will. */
  lwt(epoch: number, online: boolean): string {
    return lwtText(epoch, this.#parts.speaker.inst, online, beatMs(this.#parts.periodMs));
  }

  /** Birth, `info` and `is`, whether or not they changed; then `load` at its own phase. */
  announce(): void {
    const now = this.#parts.clock.now();
    this.#publish('lwt', this.lwt(this.#parts.speaker.epoch, true));
    this.#info(true);
    const text = this.#is();
    if (this.#observed.takeIs(text, now, true)) this.#publish('is', text);
    if (this.#beat.deadline() === Number.POSITIVE_INFINITY) this.#beat.start(now);
  }

  farewell(): void {
    this.#publish('lwt', this.lwt(this.#parts.speaker.epoch, false));
  }

  /** The connection is gone. Nothing of what was to be said is kept: it would be stale. */
  lost(): void {
    this.#beat.stop();
    this.#logs.clear();
  }

  /** What the cluster says about this machine may have changed. */
  placed(): void {
    if (this.#parts.speaker.up) this.#info(false);
  }

  /** Something on `is` may have changed. */
  touch(): void {
    this.#observed.touch();
  }

  output(service: string, lines: readonly string[]): void {
    if (this.#parts.speaker.up) this.#logs.offer(service, lines);
  }

  /** As much of the lines' end as one message holds. */
  lastLines(service: string, to: string, lines: readonly string[]): boolean {
    const text = lastPart(lines, lastLinesBytes);
    const { link, clock, speaker } = this.#parts;
    if (!this.#logs.spend(Buffer.byteLength(text), clock.now())) return false;
    link.publish(this.#topics.node(speaker.node, 'log', service, to), text, { qos: 1 });
    return true;
  }

  /** @param ms this node's wall clock less the supervisor's; the way of the message is in it. */
  clockOff(ms: number): void {
    const { log, speaker } = this.#parts;
    const { news, warning } = this.#clock.take(ms);
    if (warning !== undefined) log.warn({ off_ms: Math.round(ms) }, warning);
    if (news && speaker.up) this.#info(false);
  }

  done(id: string, error?: string): void {
    this.#publish('done', doneText(id, error));
  }

  /** What the node's part in jobs tells. */
  forWork(touch: () => void): WorkHandlers {
    return {
      publish: text => this.#parts.speaker.up && this.#publish('done', text),
      changed: () => {
        this.placed();
        touch();
      },
      heat: ({ running, waiting }) => this.#parts.heat?.tasksThere(running, waiting),
    };
  }

  /** What the node's part in heating tells, and asks of the others. */
  forHeat(touch: () => void, tasks: HeatHandlers['tasks']): HeatHandlers {
    return {
      changed: () => {
        this.placed();
        touch();
      },
      tasks,
      service: (name, cores) => this.#parts.reconciler.dim(name, cores),
    };
  }

  /** Takes the retained reports of a node that is no more from the broker. */
  clearRetained(): void {
    for (const part of retainedParts) this.#publish(part, '');
  }

  deadline(now: number): number {
    return Math.min(this.#beat.deadline(), this.#observed.deadline(), this.#logs.deadline(now));
  }

  tick(now: number): void {
    const { node, epoch } = this.#parts.speaker;
    const due = this.#beat.take(now);
    if (due === 'load') {
      const { load, cores } = this.#parts.telemetry.sample();
      this.#publish('load', loadText(node, epoch, this.#seq++, { ...load, ...this.#doing() }));
      if (cores) this.#publish('cores', coresText(node, cores));
      this.#look(now);
    } else if (due === 'heartbeat') {
      this.#publish('heartbeat', heartbeatText(node, epoch, this.#seq++));
    }
    if (now >= this.#observed.deadline()) {
      const text = this.#is();
      if (this.#observed.takeIs(text, now, false)) this.#publish('is', text);
    }
    for (const { service, text } of this.#logs.take(now)) {
      this.#parts.link.publish(this.#topics.node(node, 'log', service), text, { qos: 1 });
    }
  }

  /** Its own thermometers, with a `load`, every half minute. Read in the background: what comes after the session's end is dropped. */
  #look(now: number): void {
    const { telemetry, speaker } = this.#parts;
    if (!telemetry.surroundings || now < this.#lookAt) return;
    this.#lookAt = now + sensorsEveryMs;
    const { node, epoch } = speaker;
    telemetry.surroundings(sensed => {
      const count = Object.keys(sensed).length;
      // The last one that is gone is told by an empty message.
      const news = count > 0 || this.#sensors > 0;
      this.#sensors = count;
      if (news && speaker.up && speaker.epoch === epoch) this.#publish('sensors', sensorsText(node, epoch, sensed));
    });
  }

  #is(): string {
    const { reconciler, ver, speaker } = this.#parts;
    const { node, epoch, state } = speaker;
    const { rev, err } = reconciler.attempted();
    return isText({ node, epoch, state, ver, rev, errors: [...speaker.errors, err], items: reconciler.items() });
  }

  /** No `info` before the facts are there: it is retained, and a short one would be a step back. */
  #info(always: boolean): void {
    if (!this.#facts) return;
    const off = this.#clock.off === undefined ? {} : { clock_off_ms: this.#clock.off };
    const { node, place } = this.#parts.speaker;
    const text = infoText(node, this.#parts.ver, { ...this.#facts, ...this.#can(), ...this.#nets(), ...place, ...off });
    if (this.#observed.takeInfo(text, always)) this.#publish('info', text);
  }

  /** What it runs, for `load`. */
  #doing(): { readonly jobs?: number; readonly heat_cores?: number } {
    const { work, heat } = this.#parts;
    const jobs = work?.running;
    const cores = heat?.cores;
    return {
      ...(jobs === undefined ? {} : { jobs }),
      ...(cores === undefined ? {} : { heat_cores: rounded(cores, 2) }),
    };
  }

  /** Networks that it is in, as they are now: an address may come after the facts were gathered. */
  #nets(): { readonly nets?: string } {
    const nets = cutList(this.#parts.waker?.nets() ?? [], netsBytes);
    return nets === '' ? {} : { nets };
  }

  /** What of jobs, heat and waking this node can do. */
  #can(): { readonly caps?: string; readonly plugins?: string } {
    const { work, heat, waker } = this.#parts;
    if (!(work || heat || waker) || !this.#facts) return {};
    const wakes = waker ? [relayCap] : [];
    const caps = [this.#facts.caps, ...wakes, ...(work?.can ?? []), ...(heat?.can ?? [])].filter(Boolean).join();
    const plugins = cutList(work?.plugins ?? [], pluginsBytes);
    return { ...(caps === '' ? {} : { caps }), ...(plugins === '' ? {} : { plugins }) };
  }

  #publish(part: NodePart, text: string): boolean {
    const topic = this.#topics.node(this.#parts.speaker.node, part);
    const qos = unacknowledged.has(part) ? 0 : 1;
    return this.#parts.link.publish(topic, text, { qos, retain: retainedParts.has(part) });
  }
}
