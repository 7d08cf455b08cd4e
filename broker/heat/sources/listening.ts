/**
 * Which topics thermometers and plugs are heard on, and what their messages say: told by room and node, with the time of the
 * reading on the monotonic clock. Knows no bus; takes what a bus heard. Decides nothing about whether a reading is to be
 * believed; what is not understood is said once for each source, as one sentence, until it is understood again.
 *
 * **Age.** A reading is as old as its own time says (`last_seen` of zigbee2mqtt, `ts` of a Shelly's notification), else it is
 * of the moment of its arrival. A retained copy without a time of its own may be of any age and is passed over; so is one from the future,
 * and one of more than a day ago. On the embedded broker a live message keeps the flag that its publisher set, and is told from
 * a copy by having a sender.
 */
import { type BusMessage, mostAlso } from '../../../shared/bus.ts';
import { whyNotHeard } from '../../../shared/bus-filters.ts';
import type { Clock } from '../../../shared/clock.ts';
import { decode } from '../../../shared/codec.ts';
import { sentence } from '../../../shared/errors.ts';
import { printable } from '../../../shared/names.ts';
import { compileTemplate, type Template } from '../../../shared/readings/template.ts';
import type { Plug, Thermometer, TopicSource } from '../../../shared/schemas/reading.ts';
import { sensorsPayload } from '../../../shared/schemas/telemetry.ts';
import { type Recognised, readPayload, timeOf, whyOwn } from './payload.ts';
import { whyNoWatts } from './plug.ts';
import { recognise } from './recognise.ts';
import { whyNoDegrees } from './thermometer.ts';

export type BrokerName = 'own' | 'uplink';

/** What is to be heard. */
export interface Wanted {
  readonly rooms: Iterable<{
    readonly room: string;
    readonly thermometer?: Thermometer | undefined;
    readonly outdoor?: Thermometer | undefined;
  }>;
  readonly plugs: Iterable<{ readonly node: string; readonly plug: Plug }>;
}

/** Times are monotonic ms, and may lie before the start of the process. */
export interface Heard {
  temp(room: string, c: number, atMs: number): void;
  outdoor(room: string, c: number, atMs: number): void;
  meter(node: string, reading: { readonly watts: number; readonly atMs: number; readonly energyWh?: number }): void;
}

/** Of `mostAlso` of a bus, what is left for Home Assistant's own topics. */
export const mostTopics = mostAlso - 100;
/** A sender's clock may be ahead so far. */
const aheadMs = 30_000;
const oldestMs = 24 * 3_600_000;

interface Source {
  /** `room/living/temp_c`, `room/living/outdoor_c`, `node/n1/plug`. */
  readonly id: string;
  readonly kind: 'temp' | 'watts';
  /** The topic, or the node's sensor, for people. */
  readonly name: string;
  /** Of a node's `sensors` message. */
  readonly sensor?: string;
  readonly template?: Template | undefined;
  tell(read: { readonly value: number; readonly energyWh?: number | undefined }, atMs: number): void;
}

export class Sources {
  readonly #clock: Pick<Clock, 'now' | 'wall'>;
  readonly #heard: Heard;
  /** By topic, and by node. */
  #topics: Record<BrokerName, Map<string, Source[]>> = { own: new Map(), uplink: new Map() };
  #nodes = new Map<string, Source[]>();
  #wemos = new Map<string, string>();
  /** What is in the way, by source; of the document itself, and of the last message. */
  #wrong = new Map<string, string>();
  #misread = new Map<string, string>();

  constructor(clock: Pick<Clock, 'now' | 'wall'>, heard: Heard) {
    this.#clock = clock;
    this.#heard = heard;
  }

  /** From now on these and no others. Say the filters to the buses afterwards. */
  replace(wanted: Wanted): void {
    const { temp, outdoor, meter } = this.#heard;
    this.#topics = { own: new Map(), uplink: new Map() };
    this.#nodes = new Map();
    this.#wemos = new Map();
    this.#wrong = new Map();
    const ids = new Set<string>();
    for (const { room, thermometer, outdoor: outside } of wanted.rooms) {
      for (const [part, from, tell] of [
        ['temp_c', thermometer, temp],
        ['outdoor_c', outside, outdoor],
      ] as const) {
        if (!from) continue;
        const id = `room/${room}/${part}`;
        ids.add(id);
        const told = {
          id,
          kind: 'temp' as const,
          tell: (read: { readonly value: number }, atMs: number) => tell(room, read.value, atMs),
        };
        if ('topic' in from) this.#listen(from, told);
        else
          add(this.#nodes, from.node, {
            ...told,
            sensor: from.sensor,
            name: `sensor ${from.sensor} of node ${from.node}`,
          });
      }
    }
    for (const { node, plug } of wanted.plugs) {
      const id = `node/${node}/plug`;
      ids.add(id);
      if ('wemo' in plug) this.#wemos.set(node, plug.wemo);
      else {
        this.#listen(plug, {
          ...{ id, kind: 'watts' },
          tell: ({ value, energyWh }, atMs) =>
            meter(node, { watts: value, atMs, ...(energyWh !== undefined && { energyWh }) }),
        });
      }
    }
    for (const id of this.#misread.keys()) if (!ids.has(id)) this.#misread.delete(id);
  }

  #listen({ topic, template, broker }: TopicSource, source: Omit<Source, 'name'>): void {
    const topics = this.#topics[broker];
    const compiled = template === undefined ? undefined : compileTemplate(template);
    const full = topics.size >= mostTopics && !topics.has(topic);
    const why =
      whyNotHeard(topic) ??
      (compiled?.ok === false ? sentence(compiled.error) : undefined) ??
      (full ? `more than ${mostTopics} topics of thermometers and plugs are heard on this broker` : undefined);
    if (why !== undefined) this.#wrong.set(source.id, short(topic, why));
    else add(topics, topic, { ...source, name: topic, template: compiled?.ok ? compiled.value : undefined });
  }

  /** Topics to hear on a broker, beside what the supervisor hears anyway. */
  filters(broker: BrokerName): readonly string[] {
    return [...this.#topics[broker].keys()];
  }

  /** Plugs that are asked over HTTP, by node. */
  get wemos(): ReadonlyMap<string, string> {
    return this.#wemos;
  }

  /** A message that a bus heard. @returns whether it is a source's. */
  take(broker: BrokerName, message: Pick<BusMessage, 'topic' | 'payload' | 'retain' | 'from'>): boolean {
    const sources = this.#topics[broker].get(message.topic);
    if (!sources) return false;
    const isCopy = message.retain && message.from === undefined;
    // What was removed from the broker is no reading.
    if (message.payload.length > 0) for (const source of sources) this.#read(source, message, isCopy);
    return true;
  }

  #read(source: Source, { topic, payload }: Pick<BusMessage, 'topic' | 'payload'>, isCopy: boolean): void {
    const { kind, template } = source;
    const read = template ? byTemplate(kind, template, payload) : recognise(kind, topic, payload);
    if (read === undefined) return;
    if (typeof read === 'string') this.#misread.set(source.id, short(source.name, read));
    else {
      this.#misread.delete(source.id);
      this.#tell(source, read, isCopy);
    }
  }

  #tell(source: Source, read: Exclude<Recognised, string | undefined>, isCopy: boolean): void {
    const age = read.atMs === undefined ? 0 : this.#clock.wall() - read.atMs;
    const known = read.atMs !== undefined && age >= -aheadMs;
    if ((isCopy && !known) || age > oldestMs) return;
    source.tell(read, this.#clock.now() - (known ? Math.max(0, age) : 0));
  }

  /** A `sensors` message of a node's current session: its own thermometers. */
  sensors(node: string, payload: Uint8Array): void {
    const sources = this.#nodes.get(node);
    if (!sources) return;
    const read = decode(sensorsPayload, payload, { maxBytes: 8192, maxDepth: 2 });
    for (const source of sources) {
      const value = read.ok ? read.value[source.sensor ?? ''] : undefined;
      if (typeof value === 'number') {
        this.#misread.delete(source.id);
        this.#tell(source, { value, what: source.sensor ?? '' }, false);
        continue;
      }
      const there = read.ok ? Object.keys(read.value).filter(key => key.endsWith('_c')) : [];
      const has = there.length > 0 ? `the node has ${there.slice(0, 4).join(', ')}` : 'the node has none';
      this.#misread.set(source.id, short(source.name, read.ok ? `it is not there: ${has}` : sentence(read.error)));
    }
  }

  /** A bus could not subscribe to a topic. It is said until the next message on it. */
  unheard(broker: BrokerName, filter: string, reason: string): void {
    for (const { id, name } of this.#topics[broker].get(filter) ?? []) this.#misread.set(id, short(name, reason));
  }

  /** What is in the way of a room's thermometer; undefined: nothing that is known here. */
  whyRoom(room: string): string | undefined {
    return this.#why(`room/${room}/temp_c`);
  }

  whyOutdoor(room: string): string | undefined {
    return this.#why(`room/${room}/outdoor_c`);
  }

  whyPlug(node: string): string | undefined {
    return this.#why(`node/${node}/plug`);
  }

  #why(id: string): string | undefined {
    return this.#wrong.get(id) ?? this.#misread.get(id);
  }
}

const short = (name: string, why: string): string => `${printable(name, 80)}: ${printable(why, 200)}`;

function add(to: Map<string, Source[]>, key: string, source: Source): void {
  const there = to.get(key);
  if (there) there.push(source);
  else to.set(key, [source]);
}

/** The number that the template finds, and the time that a JSON payload may hold all the same. */
function byTemplate(kind: Source['kind'], template: Template, payload: Uint8Array): Recognised {
  const read = readPayload(payload);
  const own = read.kind === 'object' ? whyOwn(read.fields) : undefined;
  if (own !== undefined) return own;
  const value = template(payload);
  if (value === undefined) return 'its template finds no number there';
  const wrong = kind === 'temp' ? whyNoDegrees(value) : whyNoWatts(value);
  if (wrong !== undefined) return wrong;
  const atMs = read.kind === 'object' ? timeOf(read.fields) : undefined;
  return { value: kind === 'temp' ? value : Math.max(0, value), what: 'template', ...(atMs !== undefined && { atMs }) };
}
