/** Topics and payloads as lines for people. Pure: remembers what it said, so that only changes are told. */
import { decodeText } from '../shared/codec.ts';
import { printable } from '../shared/names.ts';
import { eventPayload, fabricInfo, type ResultMessage, resultPayload } from '../shared/schemas/fabric.ts';
import { type Is, type ItemStatus, isPayload } from '../shared/schemas/observed.ts';
import { infoPayload, type Load, loadPayload } from '../shared/schemas/telemetry.ts';
import { type NounTopic, parseTopic } from '../shared/topics.ts';
import { json } from './fleet.ts';

export interface NarratorOptions {
  /** Only events that name this node. */
  readonly node?: string | undefined;
  readonly loads: boolean;
}

const mostRemembered = 50_000;

export class Narrator {
  private readonly base: string;
  private readonly options: NarratorOptions;
  private readonly said = new Map<string, string>();

  constructor(base: string, options: NarratorOptions) {
    this.base = base;
    this.options = options;
  }

  /** @returns a line, or undefined where there is nothing (new) to say. */
  tell(topic: string, payload: Uint8Array, retained: boolean): string | undefined {
    const parsed = parseTopic(topic, this.base);
    if (!parsed.ok) return `${printable(topic, 80)}  ${preview(payload)}`;
    const { value } = parsed;
    if (value.kind === 'noun')
      return value.noun === 'node'
        ? this.node(value, payload, retained)
        : `${printable(topic, 80)}  ${preview(payload)}`;
    switch (value.part) {
      case 'status':
        return this.once('status', `supervisor ${preview(payload)}`);
      case 'event': {
        const event = json(eventPayload, payload);
        if (!event || (this.options.node !== undefined && event.node !== this.options.node)) return undefined;
        const { level, kind, node, text } = event;
        return `${level === 'info' ? '' : `${level.toUpperCase()}: `}${node ? `${node}  ` : ''}${kind}: ${printable(text, 300)}`;
      }
      case 'result':
        return answer('', json(resultPayload, payload));
      case 'info': {
        const info = this.options.loads ? json(fabricInfo, payload) : undefined;
        return info && this.once('info', `${info.online} of ${info.nodes} nodes online, ${info.cores} cores`);
      }
      default:
        return undefined;
    }
  }

  private node(topic: NounTopic, payload: Uint8Array, retained: boolean): string | undefined {
    const { target, part, rest } = topic;
    const id = target.kind === 'one' ? target.id : target.kind === 'all' ? 'all' : `@${target.role}`;
    const say = (text: string) => `${id}  ${text}`;
    switch (part) {
      case 'status':
        return payload.length === 0 ? say('forgotten') : this.once(`${id}/status`, say(preview(payload)));
      case 'set':
        return say(`set ${rest.join('.') || 'document'} ${payload.length === 0 ? 'cleared' : `← ${preview(payload)}`}`);
      case 'do':
        return say(`do ${rest.join('/')} ${preview(payload)}`.trimEnd());
      case 'result':
        return answer(say(''), json(resultPayload, payload));
      case 'log':
        return `${id}/${rest.join('/')} | ${text(payload, 2000)}`;
      case 'is': {
        const is = json(isPayload, payload);
        return is && this.is(id, is);
      }
      case 'load': {
        const load = this.options.loads && !retained ? json(loadPayload, payload) : undefined;
        return load && say(measures(load));
      }
      case 'info': {
        const info = json(infoPayload, payload);
        if (!info) return undefined;
        const about = [
          info.os,
          info.arch,
          info.cpu,
          info.cores && `${info.cores} cores`,
          info.mem_mb && `${Math.round(info.mem_mb)} MB`,
        ];
        return this.once(`${id}/info`, say(printable(about.filter(Boolean).join(', '), 200)));
      }
      default:
        return undefined;
    }
  }

  /** What is new in `is`: state, error, and every item that changed. */
  private is(id: string, is: Is): string | undefined {
    const lines: string[] = [];
    const head = this.once(`${id}/is`, `${id}  ${is.state}${is.err ? `: ${printable(is.err, 300)}` : ''}`);
    if (head) lines.push(head);
    for (const [path, item] of Object.entries(is.items)) {
      const line = this.once(`${id}/is/${path}`, `${id}  ${printable(path)} ${itemText(item)}`);
      if (line) lines.push(line);
    }
    for (const key of this.said.keys()) {
      if (!key.startsWith(`${id}/is/`) || Object.hasOwn(is.items, key.slice(id.length + 4))) continue;
      this.said.delete(key);
      lines.push(`${id}  ${printable(key.slice(id.length + 4))} gone`);
    }
    return lines.length > 0 ? lines.join('\n          ') : undefined;
  }

  private once(key: string, line: string): string | undefined {
    if (this.said.get(key) === line) return undefined;
    if (this.said.size >= mostRemembered) this.said.clear();
    this.said.set(key, line);
    return line;
  }
}

function answer(head: string, result: ResultMessage | undefined): string | undefined {
  if (!result) return undefined;
  const what = `${result.part}${result.key ? ` ${result.key}` : ''}${result.topic ? ` on ${result.topic}` : ''}`;
  const how = result.ok ? (result.state ?? 'accepted') : `refused: ${result.error ?? 'no reason given'}`;
  const group = result.n === undefined ? '' : `, ${result.ok_n ?? 0} of ${result.n} nodes`;
  return `${head}${printable(what, 200)} ${printable(how, 400)}${result.rev === undefined ? '' : ` (revision ${result.rev})`}${group}`;
}

/** State, process and how it ended, as one line. */
export function itemText(item: ItemStatus): string {
  const parts = [item.state];
  if (item.pid !== undefined) parts.push(`pid ${item.pid}`);
  if (item.restarts) parts.push(`${item.restarts} restarts`);
  if (item.signal !== undefined) parts.push(`ended by ${item.signal}`);
  else if (item.exit !== undefined) parts.push(`exit code ${item.exit}`);
  if (item.next_ms !== undefined) parts.push(`next try at ${new Date(item.next_ms).toTimeString().slice(0, 8)}`);
  return `${printable(parts.join(', '), 200)}${item.err ? `: ${printable(item.err, 300)}` : ''}`;
}

function measures(load: Load): string {
  const parts = [
    load.cpu_pct !== undefined && `cpu ${Math.round(load.cpu_pct)} %`,
    load.mem_pct !== undefined && `memory ${Math.round(load.mem_pct)} %`,
    load.temp_c !== undefined && `${Math.round(load.temp_c)} °C`,
    load.watts !== undefined && `${Math.round(load.watts)} W`,
    load.rx_kbps !== undefined && `in ${Math.round(load.rx_kbps)} kbit/s`,
    load.tx_kbps !== undefined && `out ${Math.round(load.tx_kbps)} kbit/s`,
  ];
  return parts.filter(Boolean).join(', ');
}

const preview = (payload: Uint8Array): string => text(payload, 120);

function text(payload: Uint8Array, max: number): string {
  const decoded = decodeText(payload);
  return decoded.ok ? printable(decoded.value.replace(/\n$/, ''), max) : `${payload.length} bytes that are no text`;
}
